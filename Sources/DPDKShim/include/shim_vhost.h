// What guests' rings need that Swift cannot do: a signal handler, and a write that the poll loop may make.
#ifndef SLUICE_SHIM_VHOST_H
#define SLUICE_SHIM_VHOST_H

#include "shim_base.h"

/// From now on an access to guest memory that no longer exists (its file was shortened) reads and writes zeros instead of ending the process.
void sluice_guest_memory_watch(void);
/// Notes memory of a guest, by a number of its own, as it was mapped. A guest whose memory is not noted is not protected.
void sluice_guest_memory_add(uint32_t guest, void *start, size_t length);
/// Forgets memory, before it is unmapped.
void sluice_guest_memory_remove(void *start);
/// Whether any memory of a guest was found to be missing.
bool sluice_guest_memory_lost(uint32_t guest);

/// Tells a guest that buffers of its ring were used, by an eventfd or a pipe. Never waits, whatever the guest's process does with the descriptor.
SLUICE_HOT void sluice_guest_call(int descriptor);

#endif
