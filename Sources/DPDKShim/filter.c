#define ALLOW_EXPERIMENTAL_API /* rte_bpf_convert */
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <rte_bpf.h>
#include <rte_malloc.h>
#include <stdlib.h>

/* Of classic BPF: where rte_bpf_convert keeps its registers A and X. */
enum { register_a = EBPF_REG_0, register_x = EBPF_REG_7 };
/* No frame is longer, and sums of two such places overflow nothing. */
enum { farthest = 0xffff };

static bool is_indirect_load(const struct ebpf_insn *i) { return BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == BPF_IND; }

static bool is_jump(const struct ebpf_insn *i) {
    return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != EBPF_CALL && BPF_OP(i->code) != EBPF_EXIT;
}

static bool is_exit(const struct ebpf_insn *i) { return i->code == (BPF_JMP | EBPF_EXIT); }

/* Whether the x86 compiler of DPDK 22.11 gets a program right. It encodes tests of bits with constants of one byte, which the processor does not have; and jumps backwards
 * of 123 to 128 bytes with an offset that says otherwise. It makes such jumps from each end of a program, and each load, to the first of the ends: they are near where all
 * ends follow all loads, as they do in what libpcap makes but for divisions by what is in a frame. */
static bool is_compilable(const struct ebpf_insn *program, uint32_t count) {
    unsigned ends = 0;
    for (const struct ebpf_insn *i = program; i < program + count; i++) {
        if (i->code == (BPF_JMP | BPF_JSET | BPF_K) && i->imm == (int8_t)i->imm) return false;
        if (BPF_CLASS(i->code) == BPF_LD && ends) return false;
        if (is_exit(i) && ++ends > 3) return false;
    }
    return true;
}

/* Mends what rte_bpf_convert (22.11) makes: indirect loads of bytes and words take their place from A instead of X. And librte_bpf checks places with sums
 * of 32 bits, so that one just below 2^32 would be found to be within a frame: where the place of an indirect load is too far a program ends, without a match.
 * NULL: no memory. */
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
    /* As libpcap's struct bpf_program. */
    const struct { unsigned length; const void *instructions; } classic = { count, instructions };
    struct rte_bpf_prm *converted = rte_bpf_convert((const struct bpf_program *)&classic);
    if (!converted) return rte_errno ? -abs(rte_errno) : -EINVAL;
    struct rte_bpf_prm program = *converted;
    struct ebpf_insn *mended = mend(converted->ins, converted->nb_ins, &program.nb_ins);
    rte_free(converted);
    if (!mended) return -ENOMEM;
    program.ins = mended;
    rule->program = rte_bpf_load(&program);
    const bool is_native = is_compilable(mended, program.nb_ins);
    int error = rule->program ? 0 : rte_errno ? -abs(rte_errno) : -EINVAL;
    free(mended);
    struct rte_bpf_jit native = { 0 };
    rule->run = !error && is_native && rte_bpf_get_jit(rule->program, &native) == 0 ? native.func : NULL;
    return error;
}

void sluice_filter_unload(sluice_filter_rule *rule) {
    rte_bpf_destroy(rule->program);
    rule->program = NULL;
    rule->run = NULL;
}

/* What a joined program finds in its registers. */
static const struct ebpf_insn prologue[] = {
    { .code = BPF_LDX | BPF_MEM | BPF_H, .dst_reg = EBPF_REG_0, .src_reg = EBPF_REG_1, .off = offsetof(struct rte_mbuf, data_off) },
    { .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = EBPF_REG_2, .src_reg = EBPF_REG_1, .off = offsetof(struct rte_mbuf, pkt_len) },
    { .code = BPF_LDX | BPF_MEM | EBPF_DW, .dst_reg = EBPF_REG_1, .src_reg = EBPF_REG_1, .off = offsetof(struct rte_mbuf, buf_addr) },
    { .code = EBPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = EBPF_REG_1, .src_reg = EBPF_REG_0 },
};

int sluice_filter_join(sluice_filter_part *part, const void *instructions, uint32_t count) {
    struct ebpf_insn *whole = malloc(sizeof(prologue) + count * sizeof(*whole));
    if (!whole) return -ENOMEM;
    memcpy(whole, prologue, sizeof(prologue));
    memcpy(whole + RTE_DIM(prologue), instructions, count * sizeof(*whole));
    const struct rte_bpf_prm program = {
        .ins = whole,
        .nb_ins = (uint32_t)RTE_DIM(prologue) + count,
        /* It asks how long a frame is before it looks at a place; librte_bpf is to find only that it never looks in front of it. */
        .prog_arg = { .type = RTE_BPF_ARG_PTR_MBUF, .size = sizeof(struct rte_mbuf), .buf_size = 1 << 20 },
    };
    part->program = rte_bpf_load(&program);
    int error = part->program ? 0 : rte_errno ? -abs(rte_errno) : -EINVAL;
    free(whole);
    if (error) return error;
    struct rte_bpf_jit native = { 0 };
    error = rte_bpf_get_jit(part->program, &native);
    if (!error && !native.func) error = -ENOTSUP;
    if (error) sluice_filter_part_unload(part); else part->run = native.func;
    return error;
}

void sluice_filter_part_unload(sluice_filter_part *part) {
    rte_bpf_destroy(part->program);
    part->program = NULL;
    part->run = NULL;
}

/* A frame without its tags: its addresses, and what is behind the tags. */
struct untagged {
    struct rte_mbuf addresses, rest;
    uint8_t bytes[256];
};

enum { most_tags = 8, addresses_length = 2 * RTE_ETHER_ADDR_LEN };

static inline bool is_tag(const uint8_t *type) {
    return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8) || (type[0] == 0x91 && type[1] == 0x00);
}

/* Where a frame's tags end. 0: it cannot be told what is behind them. */
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

/* What programs are shown, one by one, that do not ask for tags. */
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

/* The same in one piece, as far as rules look that are joined. NULL: that is too far. */
static struct rte_mbuf *in_one_piece(const sluice_filter_part *part, struct rte_mbuf *frame, uint32_t end, struct untagged *copy) {
    struct rte_mbuf *shown = &copy->addresses;
    const uint32_t tags = end - addresses_length;
    shown->pkt_len = frame->pkt_len - tags;
    shown->data_len = frame->data_len - tags;
    shown->buf_addr = frame->buf_addr;
    shown->data_off = frame->data_off + tags;
    if (!part->reads_addresses) return shown;
    if (part->reach > sizeof(copy->bytes)) return NULL;
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    if (shown->data_len > sizeof(copy->bytes)) shown->data_len = sizeof(copy->bytes);
    memcpy(copy->bytes, bytes, addresses_length);
    memcpy(copy->bytes + addresses_length, bytes + end, shown->data_len - addresses_length);
    shown->buf_addr = copy->bytes;
    shown->data_off = 0;
    return shown;
}

static inline bool matches(const sluice_filter_rule *rule, struct rte_mbuf *shown) {
    return rule->run ? rule->run(shown) : rte_bpf_exec(rule->program, shown);
}

static inline uint16_t decide(const sluice_filter *filter, struct rte_mbuf *frame) {
    const uint32_t end = end_of_tags(frame);
    if (unlikely(!end)) return SLUICE_FILTER_UNREADABLE;
    struct untagged copy;
    const sluice_filter_part *part = filter->parts;
    for (; part->first != part->end; part++) {
        struct rte_mbuf *shown = frame;
        const bool has_tags = end != addresses_length && !part->sees_tags;
        if (likely(part->run)) {
            if (unlikely(has_tags)) shown = in_one_piece(part, frame, end, &copy);
            if (likely(shown && (shown->data_len >= part->reach || shown->data_len == shown->pkt_len))) {
                const uint16_t rule = (uint16_t)(part->first + part->run(shown));
                if (rule != part->end) return rule;
                continue;
            }
        }
        shown = has_tags ? without_tags(frame, end, &copy) : frame;
        for (uint16_t rule = part->first; rule != part->end; rule++) {
            if (matches(filter->rules + rule, shown)) return rule;
        }
    }
    return part->first;
}

void sluice_filter_run(const sluice_filter *filter, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts) {
    for (uint32_t i = 0; i < count; i++) verdicts[i] = decide(filter, frames[i]);
}
