// Filters: classic BPF programs made by libpcap, which DPDK's librte_bpf runs on frames.
#ifndef SLUICE_SHIM_FILTER_H
#define SLUICE_SHIM_FILTER_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct rte_bpf;

/// A rule of a filter. The last rule of each filter has no program: it decides about all frames that no other rule matches.
typedef struct {
    uint64_t (*run)(void *frame);  ///< the program as native code; NULL: it is interpreted
    struct rte_bpf *program;
    bool sees_tags;                ///< its program is shown frames with their VLAN tags, otherwise without
    bool allows;
} sluice_filter_rule;

/// Loads a program of `count` instructions (struct bpf_insn). The constant offset of each load must be below 65536. Returns 0, or a negative errno if
/// librte_bpf refuses the program.
int sluice_filter_load(sluice_filter_rule *rule, const void *instructions, uint32_t count);
/// Frees the rule's program; no loop may still run it.
void sluice_filter_unload(sluice_filter_rule *rule);

/// The verdict on a frame that has more than eight tags or ends within its tags, so that its content cannot be determined.
enum { SLUICE_FILTER_UNREADABLE = 0xffff };
/// Writes for each frame the index of the first rule that matches it, or SLUICE_FILTER_UNREADABLE. No frame is changed. A program that reads beyond the end of
/// a frame does not match it.
SLUICE_HOT void sluice_filter_run(const sluice_filter_rule *rules, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts);

#endif
