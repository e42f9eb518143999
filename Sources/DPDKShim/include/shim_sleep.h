// How an idle poll loop waits: the set of descriptors that wake it, the notifications and interrupts that make these ready, and the wait itself.
#ifndef SLUICE_SHIM_SLEEP_H
#define SLUICE_SHIM_SLEEP_H

#include "shim_base.h"

/// Creates an eventfd by which other threads wake a loop; a negative errno on failure. It is never read, because it is watched edge-triggered.
int sluice_event_create(void);
SLUICE_HOT void sluice_event_signal(int event);
void sluice_event_close(int event);

/// Creates the set of descriptors that wake a loop: its event, and later those of its queues. Returns a negative errno on failure.
SLUICE_HOT int sluice_wait_set_open(int event);
SLUICE_HOT void sluice_wait_set_close(int set);
/// Adds a queue's descriptor. With `edge` it is watched edge-triggered, because it counts events and is not read; otherwise it is ready as long as it is
/// readable. `queue` is any number by which the caller knows the queue. Returns 0 or a negative errno.
SLUICE_HOT int sluice_wait_set_add(int set, int descriptor, bool edge, uint32_t queue);

/// What ended a wait. If neither flag is set, the time was over.
typedef struct {
    bool by_event;
    bool by_queue;
    uint32_t queue;  ///< the first of those that were ready, where there are any
} sluice_woken;
/// Waits for at most `nanoseconds`. Without a set (negative) it just waits for that time.
SLUICE_HOT sluice_woken sluice_wait(int set, uint64_t nanoseconds);

/// Makes the calling thread's waits as exact as the kernel can. By default they may last 50 us longer.
SLUICE_HOT void sluice_wait_exactly(void);

/// The descriptor by which a started device signals frames in a queue; -1 if it has none. If `armed` is set, the interrupt must be armed before each wait
/// (`sluice_device_expect`), and the descriptor counts events; otherwise it is readable as long as there are frames.
int sluice_device_interrupt(uint16_t port, uint16_t queue, bool *armed);
SLUICE_HOT void sluice_device_expect(uint16_t port, uint16_t queue);
SLUICE_HOT void sluice_device_silence(uint16_t port, uint16_t queue);

#endif
