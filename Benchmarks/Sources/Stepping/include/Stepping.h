#ifndef STEPPING_H
#define STEPPING_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What addresses are made of. */
typedef struct {
    /* As machine code numbers them: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15. */
    uint64_t general[16];
    uint64_t instruction;
    uint64_t fs_base;
} step_registers;

/* Lets a thread of a process that this one may trace execute `count` instructions one by one, and puts down the registers ahead of each (ptrace(2)). The
   process's other threads go on. The thread is let go behind them. Returns 0 or -errno; -ENOTSUP where the processor is none of x86-64's. */
int step_thread(pid_t thread, size_t count, step_registers *registers);

#endif
