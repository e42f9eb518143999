import CNUMA
import Glibc

/// The machine's memory nodes, as libnuma reports them. A machine or container without NUMA has one node, 0.
public enum NUMA {
    /// Whether the kernel provides NUMA here. If not, the other functions answer as for a single node.
    public static let isAvailable = numa_available() != -1

    /// Number of nodes: the highest node number plus 1.
    public static var nodeCount: Int { isAvailable ? Int(numa_max_node()) + 1 : 1 }

    /// The node whose memory is nearest to a CPU; nil if there is no such CPU.
    public static func node(ofCPU cpu: Int) -> Int? {
        guard cpu >= 0, cpu < configuredCPUs else { return nil }
        guard isAvailable else { return 0 }
        let node = numa_node_of_cpu(CInt(cpu))
        return node < 0 ? nil : Int(node)
    }

    /// The node on which memory of this process lies; nil: it is not known, or there is none at that address (get_mempolicy(2)).
    public static func node(of address: UnsafeRawPointer) -> Int? {
        guard isAvailable else { return 0 }
        var node: CInt = -1
        // MPOL_F_NODE | MPOL_F_ADDR
        return get_mempolicy(&node, nil, 0, UnsafeMutableRawPointer(mutating: address), 3) == 0 && node >= 0 ? Int(node) : nil
    }

    /// The CPUs that this process may run on, in ascending order (sched_getaffinity(2), which honours cpusets and taskset).
    public static var allowedCPUs: [Int] {
        // The kernel refuses a mask that is smaller than its own. The largest kernel configuration has 8192 CPUs.
        var size = 1024
        while size <= 65_536 {
            guard let mask = numa_bitmask_alloc(UInt32(size)) else { return [] }
            defer { numa_bitmask_free(mask) }
            let bytes = numa_sched_getaffinity(0, mask)
            if bytes >= 0 { return (0..<size).filter { numa_bitmask_isbitset(mask, UInt32($0)) != 0 } }
            size *= 2
        }
        return []
    }

    /// Number of CPUs of the machine, whether or not this process may use them.
    public static var configuredCPUs: Int { max(1, Int(sysconf(CInt(_SC_NPROCESSORS_CONF)))) }

    /// The memory of a node in bytes, and how much of it is free; nil if there is no such node, or no NUMA.
    public static func memory(ofNode node: Int) -> (total: Int64, free: Int64)? {
        guard isAvailable, node >= 0, node < nodeCount else { return nil }
        var free: Int64 = 0
        let total = numa_node_size64(CInt(node), &free)
        return total < 0 ? nil : (total, free)
    }
}
