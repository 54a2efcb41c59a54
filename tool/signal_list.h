/* SPDX-License-Identifier: MIT */
#pragma once

int signal_list_all(int json);
int signal_list_one(int number, int json);
