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

/// Rules of a filter that follow one another. What is behind the last of each filter has none, and begins where its rules end: at its default.
typedef struct {
    uint64_t (*run)(void *frame);  ///< native code for all of them: the first that matches, counted from `first`, or how many there are; NULL: each is run by itself
    struct rte_bpf *program;
    uint32_t reach;                ///< `run` looks at so many bytes of a frame at most, which have to be in its first segment as far as it has them
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

/// Loads a program of `count` instructions of extended BPF (struct ebpf_insn), which takes the address of a frame from R1 and its length from R2, and looks nowhere else.
/// Returns 0, or a negative errno: librte_bpf refuses it, or makes no native code of it.
int sluice_filter_join(sluice_filter_part *part, const void *instructions, uint32_t count);
/// No loop may still run it.
void sluice_filter_part_unload(sluice_filter_part *part);

/// The verdict on a frame with more than eight tags, or that ends among its tags: it cannot be told what it is.
enum { SLUICE_FILTER_UNREADABLE = 0xffff };
/// For each frame the first rule that matches it, or SLUICE_FILTER_UNREADABLE. No frame is changed. A program that looks beyond a frame's end does not match it.
SLUICE_HOT void sluice_filter_run(const sluice_filter *filter, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts);

#endif
