// How an idle poll loop waits: a set of descriptors that wake it, the notifications and interrupts that make them ready, and the wait itself.
#ifndef SLUICE_SHIM_SLEEP_H
#define SLUICE_SHIM_SLEEP_H

#include "shim_base.h"

/// An eventfd by which other threads wake a loop; negative errno where there is none to be had. It is never read: it is watched for its edges.
int sluice_event_create(void);
void sluice_event_signal(int event);
void sluice_event_close(int event);

/// What wakes a loop: its event and the descriptors of its queues. Negative errno where there is none to be had.
SLUICE_HOT int sluice_wait_set_open(int event);
SLUICE_HOT void sluice_wait_set_close(int set);
/// `edge`: the descriptor counts events and is not read; otherwise it is ready for as long as there is something in it.
/// `queue`: whose it is, any number the caller knows the queue by. Returns 0 or a negative errno.
SLUICE_HOT int sluice_wait_set_add(int set, int descriptor, bool edge, uint32_t queue);

/// What ended a wait; neither: the time did.
typedef struct {
    bool by_event;
    bool by_queue;
    uint32_t queue;  ///< the first of those that were ready, where there are any
} sluice_woken;
/// Waits for `nanoseconds` at most. Without a set (negative) it waits for the time alone.
SLUICE_HOT sluice_woken sluice_wait(int set, uint64_t nanoseconds);

/// Makes the calling thread's waits as exact as the kernel can; by default they may last 50 us longer.
SLUICE_HOT void sluice_wait_exactly(void);

/// The descriptor a guest kicks for a ring; negative: none yet.
SLUICE_HOT int sluice_vhost_kick(int vid, uint16_t ring);
/// Asks the guest to kick when it next puts something into the ring. Whoever calls this looks into the ring once more before it waits.
SLUICE_HOT void sluice_vhost_expect(int vid, uint16_t ring);

/// The descriptor by which a started device tells of frames in a queue; -1: it has none. `armed` says that it must be armed
/// (`sluice_device_expect`) and then counts events; otherwise it is readable as long as there are frames.
int sluice_device_interrupt(uint16_t port, uint16_t queue, bool *armed);
SLUICE_HOT void sluice_device_expect(uint16_t port, uint16_t queue);
SLUICE_HOT void sluice_device_silence(uint16_t port, uint16_t queue);

#endif
