#ifndef STEPPING_H
#define STEPPING_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The registers that addresses are computed from. */
typedef struct {
    /* The general registers in the order of their numbers in machine code: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15. */
    uint64_t general[16];
    uint64_t instruction;
    uint64_t fs_base;
} step_registers;

/* Executes `count` instructions of a thread one by one and stores the registers before each of them (ptrace(2)). The thread must belong to a process that this
   one may trace. The other threads of that process keep running, and the thread continues after the last instruction. Returns 0 or -errno; -ENOTSUP if the
   processor is not an x86-64. */
int step_thread(pid_t thread, size_t count, step_registers *registers);

#endif
