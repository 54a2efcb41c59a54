/* SPDX-License-Identifier: MIT */
#pragma once

/* Lets a child commit the fault that raises `number`, with a handler as it should be, and tells what came of it. DONE or FAILED. */
int signal_fault_show(int number);
