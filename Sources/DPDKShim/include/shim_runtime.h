// EAL, lcores, the clock, memory pools.
#ifndef SLUICE_SHIM_RUNTIME_H
#define SLUICE_SHIM_RUNTIME_H

#include "shim_base.h"
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_spinlock.h>
#include <rte_version.h>

/// The calling thread's rte_errno (a macro over a per-lcore variable).
static inline int sluice_rte_errno(void) { return rte_errno; }

/// The time-stamp counter.
SLUICE_INLINE uint64_t sluice_cycles(void) { return rte_rdtsc(); }
SLUICE_INLINE void sluice_pause(void) { rte_pause(); }

/// One moment by the time-stamp counter and by CLOCK_MONOTONIC_RAW.
typedef struct { uint64_t cycles, nanoseconds; } sluice_instant;
sluice_instant sluice_instant_now(void);
/// Frequency of the time-stamp counter, Hz, by the kernel's clock since an earlier moment, best 0.1 s ago or more: it waits until then. Exact to
/// some millionths, where `rte_get_tsc_hz` rounds to 10 MHz (DPDK 22.11, get_tsc_freq), which makes every rate wrong by up to 0.3 %.
uint64_t sluice_cycles_per_second(sluice_instant since);

/// The kernel's number of the calling thread.
SLUICE_INLINE int32_t sluice_thread_id(void) { return rte_gettid(); }

/// Frame buffers of a pool in use and free; walks the per-lcore caches, so it is for reports.
static inline unsigned sluice_pool_available(struct rte_mempool *pool) { return rte_mempool_avail_count(pool); }

/// Transmit queues shared by several lcores: taken only where the device has fewer queues than there are lcores.
typedef struct { rte_spinlock_t lock; } sluice_lock;
SLUICE_INLINE bool sluice_lock_try(sluice_lock *lock) { return rte_spinlock_trylock(&lock->lock) != 0; }
SLUICE_INLINE void sluice_lock_release(sluice_lock *lock) { rte_spinlock_unlock(&lock->lock); }
static inline void sluice_lock_init(sluice_lock *lock) { rte_spinlock_init(&lock->lock); }

/// Has EAL's interrupt thread call `wait` before it unmaps memory; NULL: it does not. The memif driver handles a peer's leaving on that
/// thread: it marks the device as disconnected and unmaps the rings at once, while a poll loop may still read them.
void sluice_before_unmapping(void (*wait)(void));

/// Has DPDK write its log through `sluice_log_write`, at most 64 KiB at once and 8 KiB a second: its own way waits for whoever reads standard error,
/// with locks held that poll loops take. To be called before EAL starts. Returns 0 or less.
int sluice_log_without_waiting(void);
/// Writes to standard error if that takes each piece of it within so many milliseconds; otherwise the rest is left out, which the next text that is
/// written says.
bool sluice_log_write(const char *text, size_t length, int patience);
/// Has all that the process writes to standard error, libraries with a print of their own included (libbpf, libxdp), be left out rather than wait.
void sluice_standard_error_never_waits(void);

/// From now on a poll loop's thread gets no memory for DPDK's heap beyond what the heap has: a guest's descriptors could have librte_vhost ask for
/// gigabytes there. Returns 0 or a negative errno.
int sluice_heap_fixed_for_loops(void);

#endif
