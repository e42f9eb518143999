// Filters: lists of rules, each a classic BPF program compiled by libpcap. Consecutive rules are run together as native code, or one by one by DPDK's
// librte_bpf.
#ifndef SLUICE_SHIM_FILTER_H
#define SLUICE_SHIM_FILTER_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct rte_bpf;

/// A rule of a filter. The last rule of each filter is its default: it has no program and decides about every frame that no other rule matches.
typedef struct {
    struct rte_bpf *program;
    bool sees_tags;                ///< whether its program is shown frames with their VLAN tags or without
    bool allows;                   ///< whether frames that the rule decides about may pass
} sluice_filter_rule;

/// Consecutive rules of a filter, from `first` up to but not including `end`. The list of a filter's parts ends with an empty part, whose `first` and `end`
/// are the filter's default rule.
typedef struct {
    /// Native code for all rules of the part. It takes a frame and its length in bytes, and returns the first rule that matches, counted from `first`, or
    /// the number of rules in the part if none matches. NULL if the rules are run one by one.
    uint64_t (*run)(const uint8_t *frame, uint64_t length);
    size_t size;                   ///< the size of the code in bytes
    uint32_t reach;                ///< `run` reads at most this many bytes of a frame; as many of them as the frame has must be contiguous
    uint16_t first, end;
    bool sees_tags;                ///< whether the rules are shown frames with their VLAN tags; this is the same for all rules of a part
    bool reads_addresses;          ///< whether `run` reads the Ethernet addresses
} sluice_filter_part;

typedef struct {
    sluice_filter_rule *rules;
    sluice_filter_part *parts;
} sluice_filter;

/// Loads a rule's program of `count` instructions (struct bpf_insn). The offsets in all its loads, direct and indirect, must be below 65536.
/// Returns 0, or a negative errno if librte_bpf refuses the program or there is no memory.
int sluice_filter_load(sluice_filter_rule *rule, const void *instructions, uint32_t count);
/// Frees a rule's program. No poll loop may still run it.
void sluice_filter_unload(sluice_filter_rule *rule);

/// Copies native code of `size` bytes to executable memory and makes it the code of a part. The code must never read beyond the end of a frame. Returns 0,
/// or a negative errno.
int sluice_filter_join(sluice_filter_part *part, const void *code, size_t size);
/// Frees a part's native code, if it has any. No poll loop may still run it.
void sluice_filter_part_unload(sluice_filter_part *part);

/// The verdict on a frame that has more than eight tags, or whose first buffer ends within its tags, so that it cannot be told what it is.
enum { SLUICE_FILTER_UNREADABLE = 0xffff };
/// Writes for each of `count` frames (at least one) the number of the first rule that matches it, or SLUICE_FILTER_UNREADABLE. No frame is changed. A
/// program that loads bytes beyond the end of a frame does not match it. Returns whether the verdict on all frames is the same.
SLUICE_HOT bool sluice_filter_run(const sluice_filter *filter, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts);

#endif
