// Filters: classic BPF programs, as libpcap makes them, run on frames: as native code that is made of several of them, or each by DPDK's librte_bpf.
#ifndef SLUICE_SHIM_FILTER_H
#define SLUICE_SHIM_FILTER_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct rte_bpf;

/// A rule of a filter. The last of each filter has no program: it decides about every frame that no other matches.
typedef struct {
    struct rte_bpf *program;
    bool sees_tags;                ///< its program is shown frames with their VLAN tags, otherwise without
    bool allows;
} sluice_filter_rule;

/// Rules of a filter that follow one another. What is behind the last of each filter has none, and begins where its rules end: at its default.
typedef struct {
    /// Native code for all of them, of a frame and its length: the first that matches, counted from `first`, or how many there are.
    /// NULL: each is run by itself.
    uint64_t (*run)(const uint8_t *frame, uint64_t length);
    size_t size;                   ///< of the code, in bytes
    uint32_t reach;                ///< `run` looks at so many bytes of a frame at most, which have to lie one behind the other as far as the frame has them
    uint16_t first, end;
    bool sees_tags;                ///< all of them do
    bool reads_addresses;          ///< `run` looks at the Ethernet addresses
} sluice_filter_part;

typedef struct {
    sluice_filter_rule *rules;
    sluice_filter_part *parts;
} sluice_filter;

/// Loads a program of `count` instructions (struct bpf_insn), whose loads are all from places below 65536, or that far beyond what they compute.
/// Returns 0, or a negative errno: librte_bpf refuses it.
int sluice_filter_load(sluice_filter_rule *rule, const void *instructions, uint32_t count);
/// No loop may still run it.
void sluice_filter_unload(sluice_filter_rule *rule);

/// Loads native code that looks at no more of a frame than there is. Returns 0, or a negative errno.
int sluice_filter_join(sluice_filter_part *part, const void *code, size_t size);
/// No loop may still run it.
void sluice_filter_part_unload(sluice_filter_part *part);

/// The verdict on a frame with more than eight tags, or that ends among its tags: it cannot be told what it is.
enum { SLUICE_FILTER_UNREADABLE = 0xffff };
/// For each of one or more frames the first rule that matches it, or SLUICE_FILTER_UNREADABLE. No frame is changed. A program that looks
/// beyond a frame's end does not match it. Returns whether the verdict on all is the same.
SLUICE_HOT bool sluice_filter_run(const sluice_filter *filter, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts);

#endif
