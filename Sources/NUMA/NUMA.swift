// NUMA
