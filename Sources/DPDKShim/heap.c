#include <rte_config.h>
#include "DPDKShim.h"
#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_memory.h>

static int refuse_loops(int node, size_t now, size_t wanted) {
    (void)node, (void)now, (void)wanted;
    unsigned lcore = rte_lcore_id();
    return lcore != LCORE_ID_ANY && lcore != rte_get_main_lcore() ? -1 : 0;
}

int sluice_heap_fixed_for_loops(void) {
    for (unsigned place = 0; place < rte_socket_count(); place++)
        /* Without hugepages the heap is a single block that never grows (ENOTSUP), so there is nothing to prevent. */
        if (rte_mem_alloc_validator_register("sluice", refuse_loops, rte_socket_id_by_idx(place), 0) != 0 && rte_errno != ENOTSUP) return -rte_errno;
    return 0;
}
