#define ALLOW_EXPERIMENTAL_API /* rte_bpf_convert */
#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <rte_bpf.h>
#include <rte_malloc.h>
#include <stdlib.h>

/* The registers in which rte_bpf_convert keeps the registers A and X of classic BPF. */
enum { register_a = EBPF_REG_0, register_x = EBPF_REG_7 };
/* Greatest offset into a frame: no frame is longer, and the sum of two such offsets does not overflow. */
enum { farthest = 0xffff };

static bool is_indirect_load(const struct ebpf_insn *i) { return BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == BPF_IND; }

static bool is_jump(const struct ebpf_insn *i) {
    return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != EBPF_CALL && BPF_OP(i->code) != EBPF_EXIT;
}

static bool is_exit(const struct ebpf_insn *i) { return i->code == (BPF_JMP | EBPF_EXIT); }

/* Whether the x86 JIT compiler of DPDK 22.11 translates a program correctly. It has two bugs. It encodes bit tests against constants of one byte as an
 * instruction that the processor does not have. And it gives backward jumps of 123 to 128 bytes a wrong offset. It emits such jumps from each exit of a
 * program, and from each load, to the program's first exit. They are short enough if all exits follow all loads, which is so in libpcap's output except for
 * divisions by values of the frame. */
static bool is_compilable(const struct ebpf_insn *program, uint32_t count) {
    unsigned ends = 0;
    for (const struct ebpf_insn *i = program; i < program + count; i++) {
        if (i->code == (BPF_JMP | BPF_JSET | BPF_K) && i->imm == (int8_t)i->imm) return false;
        if (BPF_CLASS(i->code) == BPF_LD && ends) return false;
        if (is_exit(i) && ++ends > 3) return false;
    }
    return true;
}

/* Corrects the output of rte_bpf_convert (22.11): indirect loads of bytes and words take their offset from A instead of X. In addition, librte_bpf checks
 * offsets with 32-bit sums, so that one just below 2^32 would count as within the frame: before each indirect load, a jump is inserted that ends the program
 * without a match if the offset is too large. Returns NULL if there is no memory. */
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
    /* Has the layout of libpcap's struct bpf_program. */
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

/* A frame without its tags as a chain of two segments: a copy of its addresses, and the rest of the frame from behind the tags. */
struct untagged {
    struct rte_mbuf addresses, rest;
    uint8_t bytes[2 * RTE_ETHER_ADDR_LEN];
};

enum { most_tags = 8 };

static inline bool is_tag(const uint8_t *type) {
    return (type[0] == 0x81 && type[1] == 0x00) || (type[0] == 0x88 && type[1] == 0xa8) || (type[0] == 0x91 && type[1] == 0x00);
}

/* The frame as it is shown to programs that do not look at tags; NULL if the headers behind its tags cannot be found. */
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
