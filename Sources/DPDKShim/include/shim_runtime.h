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
/// Frequency of the time-stamp counter in Hz, measured against the kernel's clock since an earlier moment. The call waits until that moment is at least 0.1 s
/// ago. The result is exact to a few millionths, whereas `rte_get_tsc_hz` rounds to 10 MHz (DPDK 22.11, get_tsc_freq), which makes every rate wrong by up to
/// 0.3 %.
uint64_t sluice_cycles_per_second(sluice_instant since);

/// The kernel's id of the calling thread.
SLUICE_INLINE int32_t sluice_thread_id(void) { return rte_gettid(); }

/// Number of free buffers of a pool. It walks the per-lcore caches, so it is for reports only.
static inline unsigned sluice_pool_available(struct rte_mempool *pool) { return rte_mempool_avail_count(pool); }

/// A spinlock for a transmit queue that several lcores share. It is used only if the device has fewer queues than there are lcores.
typedef struct { rte_spinlock_t lock; } sluice_lock;
SLUICE_INLINE bool sluice_lock_try(sluice_lock *lock) { return rte_spinlock_trylock(&lock->lock) != 0; }
SLUICE_INLINE void sluice_lock_release(sluice_lock *lock) { rte_spinlock_unlock(&lock->lock); }
static inline void sluice_lock_init(sluice_lock *lock) { rte_spinlock_init(&lock->lock); }

/// Has EAL's interrupt thread call `wait` before it unmaps memory; NULL ends that. This is for the memif driver, which handles a disconnecting peer on that
/// thread: it marks the device as disconnected and at once unmaps the rings, while a poll loop may still be reading them.
void sluice_before_unmapping(void (*wait)(void));

/// Has DPDK write its log through `sluice_log_write`, at most 64 KiB at once and 8 KiB a second. By itself DPDK would wait for the reader of standard error,
/// while holding locks that poll loops take. Must be called before EAL starts. Returns 0, or a negative value on failure.
int sluice_log_without_waiting(void);
/// Writes to standard error if it accepts each piece of the text within `patience` milliseconds. Otherwise the rest is dropped, and the next text that is
/// written says so. Returns whether all was written.
bool sluice_log_write(const char *text, size_t length, int patience);
/// Has everything that the process writes to standard error dropped rather than wait, including what libraries print themselves (libbpf, libxdp).
void sluice_standard_error_never_waits(void);

/// From now on a poll loop's thread cannot extend DPDK's heap: otherwise what a guest sends could have a driver request gigabytes there. Returns 0 or a
/// negative errno.
int sluice_heap_fixed_for_loops(void);

#endif
