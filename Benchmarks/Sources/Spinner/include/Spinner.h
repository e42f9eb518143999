// A thread that only computes, or only works in memory of its own, for measuring what two busy CPUs cost each other without a switch.
#ifndef SPINNER_H
#define SPINNER_H

#include <stddef.h>
#include <stdint.h>

/// Starts the thread on a CPU; there can be one in a process. If `memory` is not 0, the thread adds at random places of that many bytes of its own memory (a
/// power of two); if it is 0, the thread computes in registers only, with several operations in each cycle. Returns 0 or a negative errno.
int spinner_start(int cpu, size_t memory);

typedef struct {
    /// The number of equal pieces of work that were done.
    uint64_t blocks;
    /// The nanoseconds in gaps: pieces of work that took 20 us or more.
    uint64_t lost;
    uint64_t nanoseconds;
} spinner_reading;

/// The values at this moment.
spinner_reading spinner_read(void);

#endif
