// Frames that a capture looks at: when and in which class they were queued is noted in their buffers.
#ifndef SLUICE_SHIM_CAPTURE_H
#define SLUICE_SHIM_CAPTURE_H

#include "shim_base.h"
#include <rte_mbuf.h>
#include <string.h>

/// The flag (a bit of the offload flags) that marks frames with a note; the first call registers it. Returns 0 if no bit is free.
uint64_t sluice_note_flag(void);

/// Notes a number on a frame, in place of the hash that its device may have computed, which nobody reads. Copies of the frame have the note, too.
SLUICE_INLINE void sluice_frame_note(struct rte_mbuf *m, uint64_t flag, uint64_t note) {
    _Static_assert(sizeof(m->hash) >= sizeof(note), "the place of a device's hash is too small for a note");
    m->ol_flags |= flag;
    memcpy(&m->hash, &note, sizeof note);
}
/// The number that was noted on a frame which has the flag.
SLUICE_INLINE uint64_t sluice_frame_noted(const struct rte_mbuf *m) {
    uint64_t note;
    memcpy(&note, &m->hash, sizeof note);
    return note;
}
/// Whether the frame is a buffer of its own and not a clone that refers to the bytes of another frame.
SLUICE_INLINE bool sluice_frame_is_original(const struct rte_mbuf *m) { return RTE_MBUF_DIRECT(m); }

/// Copies the first `length` bytes of a frame, which must have as many.
SLUICE_HOT void sluice_frame_read_front(const struct rte_mbuf *m, uint32_t length, void *bytes);

#endif
