import DPDKShim
import Glibc

/// DPDK's environment abstraction layer, which starts once in a process.
enum EAL {
    static func start(_ arguments: [String]) throws(DataPlaneError) {
        // EAL keeps pointers to its arguments, so they are never freed.
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        guard rte_eal_init(CInt(arguments.count), &pointers) >= 0 else {
            throw DataPlaneError("DPDK did not start: \(DataPlaneError.errorText(sluice_rte_errno())) (its arguments were: \(arguments.dropFirst().joined(separator: " ")))")
        }
    }
}
