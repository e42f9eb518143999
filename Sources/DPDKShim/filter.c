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

/* A frame without its tags: its addresses, and what is behind the tags. */
struct untagged {
    struct rte_mbuf addresses, rest;
    uint8_t bytes[2 * RTE_ETHER_ADDR_LEN];
};

enum { most_tags = 8 };

static inline bool is_tag(const uint8_t *type) {
    return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8) || (type[0] == 0x91 && type[1] == 0x00);
}

/* What programs are shown that do not ask for tags. NULL: it cannot be told what is behind them. */
static struct rte_mbuf *without_tags(struct rte_mbuf *frame, struct untagged *copy) {
    const uint32_t begin = 2 * RTE_ETHER_ADDR_LEN;
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    uint32_t end = begin;
    while (end + 2 <= frame->data_len && is_tag(bytes + end)) {
        end += RTE_VLAN_HLEN;
        if (end > begin + most_tags * RTE_VLAN_HLEN) return NULL;
    }
    if (end + 2 > frame->data_len) return end == begin && frame->pkt_len == frame->data_len ? frame : NULL;
    if (end == begin) return frame;
    copy->rest = *frame;
    copy->rest.data_off += end;
    copy->rest.data_len -= end;
    copy->addresses = *frame;
    memcpy(copy->bytes, bytes, sizeof(copy->bytes));
    copy->addresses.buf_addr = copy->bytes;
    copy->addresses.data_off = 0;
    copy->addresses.data_len = begin;
    copy->addresses.pkt_len = frame->pkt_len - (end - begin);
    copy->addresses.nb_segs = frame->nb_segs + 1;
    copy->addresses.next = &copy->rest;
    return &copy->addresses;
}

void sluice_filter_run(const sluice_filter_rule *rules, struct rte_mbuf *const *frames, uint32_t count, uint16_t *verdicts) {
    struct untagged copy;
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i], *untagged = without_tags(frame, &copy);
        if (unlikely(!untagged)) {
            verdicts[i] = SLUICE_FILTER_UNREADABLE;
            continue;
        }
        const sluice_filter_rule *rule = rules;
        for (; rule->program; rule++) {
            struct rte_mbuf *shown = rule->sees_tags ? frame : untagged;
            if (rule->run ? rule->run(shown) : rte_bpf_exec(rule->program, shown)) break;
        }
        verdicts[i] = (uint16_t)(rule - rules);
    }
}
