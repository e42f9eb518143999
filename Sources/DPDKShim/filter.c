#define ALLOW_EXPERIMENTAL_API /* rte_bpf_convert */
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <rte_bpf.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The eBPF registers in which rte_bpf_convert keeps the registers A and X of classic BPF. */
enum { register_a = EBPF_REG_0, register_x = EBPF_REG_7 };
/* The largest index of an indirect load. No frame is longer, and the sum of an index and an offset up to this does not overflow 32 bits. */
enum { farthest = 0xffff };

static bool is_indirect_load(const struct ebpf_insn *i) { return BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == BPF_IND; }

static bool is_jump(const struct ebpf_insn *i) {
    return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != EBPF_CALL && BPF_OP(i->code) != EBPF_EXIT;
}

/* Corrects a program that rte_bpf_convert (22.11) has made. Its indirect loads of bytes and words take their index from A instead of X. In addition,
 * librte_bpf checks offsets with sums of 32 bits, so that an offset just below 2^32 would count as within the frame; therefore the corrected program
 * ends without a match before an indirect load whose index exceeds `farthest`. Returns NULL if there is no memory. */
static struct ebpf_insn *mend(const struct ebpf_insn *old, uint32_t count, uint32_t *new_count) {
    uint32_t *places = malloc(count * sizeof(*places));
    if (!places) return NULL;
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        places[i] = length;
        length += is_indirect_load(old + i) ? 2 : 1;
    }
    const bool has_indirect = length != count;
    struct ebpf_insn *new = calloc(length + 2, sizeof(*new));
    for (uint32_t i = 0; new && i < count; i++) {
        struct ebpf_insn *next = new + places[i], this = old[i];
        if (is_indirect_load(&this)) {
            *next++ = (struct ebpf_insn){
                .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = register_x, .off = (int16_t)(length - places[i] - 1), .imm = farthest };
            this.src_reg = register_x;
        } else if (is_jump(&this)) {
            this.off = (int16_t)(places[i + 1 + this.off] - places[i] - 1);
        }
        *next = this;
    }
    free(places);
    if (new && has_indirect) {
        new[length++] = (struct ebpf_insn){ .code = BPF_ALU | EBPF_MOV | BPF_K, .dst_reg = register_a };
        new[length++] = (struct ebpf_insn){ .code = BPF_JMP | EBPF_EXIT };
    }
    *new_count = length;
    return new;
}

int sluice_filter_load(sluice_filter_rule *rule, const void *instructions, uint32_t count) {
    /* This has the layout of libpcap's struct bpf_program. */
    const struct { unsigned length; const void *instructions; } classic = { count, instructions };
    struct rte_bpf_prm *converted = rte_bpf_convert((const struct bpf_program *)&classic);
    if (!converted) return rte_errno ? -abs(rte_errno) : -EINVAL;
    struct rte_bpf_prm program = *converted;
    struct ebpf_insn *mended = mend(converted->ins, converted->nb_ins, &program.nb_ins);
    rte_free(converted);
    if (!mended) return -ENOMEM;
    program.ins = mended;
    rule->program = rte_bpf_load(&program);
    int error = rule->program ? 0 : rte_errno ? -abs(rte_errno) : -EINVAL;
    free(mended);
    return error;
}

void sluice_filter_unload(sluice_filter_rule *rule) {
    rte_bpf_destroy(rule->program);
    rule->program = NULL;
}

int sluice_filter_join(sluice_filter_part *part, const void *code, size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    memcpy(memory, code, size);
    if (mprotect(memory, size, PROT_READ | PROT_EXEC) != 0) {
        const int error = -errno;
        munmap(memory, size);
        return error;
    }
    part->run = memory;
    part->size = size;
    return 0;
}

void sluice_filter_part_unload(sluice_filter_part *part) {
    if (part->run) munmap(part->run, part->size);
    part->run = NULL;
}

/* A view of a frame without its VLAN tags, for librte_bpf: a chain of two buffers, one with a copy of the addresses, and one with what follows the tags. */
struct untagged {
    struct rte_mbuf addresses, rest;
    uint8_t bytes[2 * RTE_ETHER_ADDR_LEN];
};

enum { most_tags = 8, addresses_length = 2 * RTE_ETHER_ADDR_LEN };

static inline bool is_tag(const uint8_t *type) {
    const unaligned_uint16_t value = *(const unaligned_uint16_t *)type;
    return value == RTE_BE16(RTE_ETHER_TYPE_VLAN) || value == RTE_BE16(RTE_ETHER_TYPE_QINQ) || value == RTE_BE16(RTE_ETHER_TYPE_QINQ1);
}

/* The offset at which a frame's tags end, which is that of its EtherType. Returns 0 if the frame has too many tags, or if its first buffer ends before the
 * EtherType, unless that is the whole frame and has no tags. */
static inline uint32_t end_of_tags(const struct rte_mbuf *frame) {
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    uint32_t end = addresses_length;
    while (end + 2 <= frame->data_len && unlikely(is_tag(bytes + end))) {
        end += RTE_VLAN_HLEN;
        if (end > addresses_length + most_tags * RTE_VLAN_HLEN) return 0;
    }
    if (likely(end + 2 <= frame->data_len)) return end;
    return end == addresses_length && frame->pkt_len == frame->data_len ? end : 0;
}

/* Makes the view without tags that librte_bpf runs programs on which do not look at tags. The tags end at `end`. */
static struct rte_mbuf *without_tags(struct rte_mbuf *frame, uint32_t end, struct untagged *copy) {
    copy->rest = *frame;
    copy->rest.data_off += end;
    copy->rest.data_len -= end;
    copy->addresses = *frame;
    memcpy(copy->bytes, rte_pktmbuf_mtod(frame, const uint8_t *), addresses_length);
    copy->addresses.buf_addr = copy->bytes;
    copy->addresses.data_off = 0;
    copy->addresses.data_len = addresses_length;
    copy->addresses.pkt_len = frame->pkt_len - (end - addresses_length);
    copy->addresses.nb_segs = frame->nb_segs + 1;
    copy->addresses.next = &copy->rest;
    return &copy->addresses;
}

enum { longest_copy = 512 };

/* The first `reach` bytes of a frame as contiguous memory, without the tags, which end at `end`. They are copied only if they do not lie so already. Returns
 * NULL if they would have to be copied and are more than `longest_copy`. */
static const uint8_t *in_one_piece(const sluice_filter_part *part, struct rte_mbuf *frame, uint32_t end, uint8_t *copy) {
    const uint32_t tags = end - addresses_length, length = RTE_MIN(frame->pkt_len - tags, part->reach);
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    if ((!tags || !part->reads_addresses) && frame->data_len - tags >= length) return bytes + tags;
    if (length > longest_copy) return NULL;
    /* Frames with tags have both addresses whole; a frame without tags may be shorter. */
    const uint32_t addresses = RTE_MIN(length, (uint32_t)addresses_length);
    const uint8_t *front = rte_pktmbuf_read(frame, 0, addresses, copy);
    const uint8_t *rest = rte_pktmbuf_read(frame, addresses + tags, length - addresses, copy + addresses);
    if (!front || !rest) return NULL;
    if (front != copy) memcpy(copy, front, addresses);
    if (rest != copy + addresses) memcpy(copy + addresses, rest, length - addresses);
    return copy;
}

/* Runs the parts of a filter from `part` on; the parts before it have matched nothing. */
static __rte_noinline uint16_t decide(const sluice_filter *filter, const sluice_filter_part *part, struct rte_mbuf *frame) {
    const uint32_t end = end_of_tags(frame);
    if (!end) return SLUICE_FILTER_UNREADABLE;
    struct untagged untagged;
    uint8_t copy[longest_copy];
    for (; part->first != part->end; part++) {
        const uint32_t hidden = part->sees_tags ? addresses_length : end;
        if (part->run) {
            const uint8_t *bytes = in_one_piece(part, frame, hidden, copy);
            if (bytes) {
                const uint16_t rule = (uint16_t)(part->first + part->run(bytes, frame->pkt_len - (hidden - addresses_length)));
                if (rule != part->end) return rule;
                continue;
            }
        }
        struct rte_mbuf *shown = hidden == addresses_length ? frame : without_tags(frame, end, &untagged);
        for (uint16_t rule = part->first; rule != part->end; rule++) {
            if (rte_bpf_exec(filter->rules[rule].program, shown)) return rule;
        }
    }
    return part->first;
}

static inline bool is_in_one_piece(uint32_t reach, const struct rte_mbuf *frame) { return frame->data_len >= reach || frame->data_len == frame->pkt_len; }

bool sluice_filter_run(const sluice_filter *filter, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts) {
    const sluice_filter_part *first = filter->parts, *second = first + 1;
    uint64_t (*const run)(const uint8_t *, uint64_t) = first->run;
    const bool is_all = run && second->first == second->end;
    const uint32_t reach = first->reach;
    uint32_t differ = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i];
        const sluice_filter_part *part = first;
        uint16_t verdict;
        /* The short way: nearly all frames have no tags and are contiguous, and nearly all filters have one part. */
        const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
        if (likely(run && is_in_one_piece(reach, frame) && frame->data_len >= addresses_length + 2 && !is_tag(bytes + addresses_length))) {
            verdict = (uint16_t)run(bytes, frame->pkt_len);
            if (likely(is_all) || verdict != first->end) goto decided;
            part = second;
        }
        verdict = decide(filter, part, frame);
    decided:
        verdicts[i] = verdict;
        differ |= verdict ^ verdicts[0];
    }
    return !differ;
}
