// Filters: classic BPF programs, as libpcap makes them, run by DPDK's librte_bpf on frames.
#ifndef SLUICE_SHIM_FILTER_H
#define SLUICE_SHIM_FILTER_H

#include "shim_base.h"
#include <rte_mbuf.h>

struct rte_bpf;

/// A rule of a filter. The last of each filter has no program: it decides about every frame that no other matches.
typedef struct {
    uint64_t (*run)(void *frame);  ///< the program as native code; NULL: it is interpreted
    struct rte_bpf *program;
    bool sees_tags;                ///< its program is shown frames with their VLAN tags, otherwise without
    bool allows;
} sluice_filter_rule;

/// Loads a program of `count` instructions (struct bpf_insn), whose loads are all from places below 65536, or that far beyond what they compute.
/// Returns 0, or a negative errno: librte_bpf refuses it.
int sluice_filter_load(sluice_filter_rule *rule, const void *instructions, uint32_t count);
/// No loop may still run it.
void sluice_filter_unload(sluice_filter_rule *rule);

/// The verdict on a frame with more than eight tags, or that ends among its tags: it cannot be told what it is.
enum { SLUICE_FILTER_UNREADABLE = 0xffff };
/// For each frame the first rule that matches it, or SLUICE_FILTER_UNREADABLE. No frame is changed. A program that looks beyond a frame's end does not match it.
SLUICE_HOT void sluice_filter_run(const sluice_filter_rule *rules, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts);

#endif
