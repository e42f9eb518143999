// A thread that only computes, or only works in memory of its own: what two busy CPUs cost each other without a switch.
#ifndef SPINNER_H
#define SPINNER_H

#include <stddef.h>
#include <stdint.h>

/// Starts the thread on a CPU; one in a process. `memory`: bytes of its own, a power of two, in which it adds at random places; 0: it computes in registers
/// alone, several operations a cycle. Returns 0 or a negative errno.
int spinner_start(int cpu, size_t memory);

typedef struct {
    /// Equal pieces of work done.
    uint64_t blocks;
    /// Nanoseconds in gaps: pieces that took 20 us and more.
    uint64_t lost;
    uint64_t nanoseconds;
} spinner_reading;

/// Now.
spinner_reading spinner_read(void);

#endif
