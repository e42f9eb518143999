import DPDKShim
import Glibc

/// The longest time that CPUs may take to leave an idle state: a PM QoS request to the kernel (Documentation/power/pm_qos_interface.rst). It holds for all
/// CPUs, and for as long as its descriptor is open, so it ends with the process, however that ends.
final class WakeLatency {
    private static let path = "/dev/cpu_dma_latency"
    private var descriptor: CInt = -1

    /// - Parameter microseconds: the longest time; nil: the kernel decides.
    /// - Throws: a sentence if the kernel accepts no request; an earlier one stays in force.
    func set(_ microseconds: UInt64?) throws(DataPlaneError) {
        guard let microseconds else { return release() }
        let new = open(Self.path, O_WRONLY | O_CLOEXEC)
        guard new >= 0 else { throw refusal(errno) }
        var value = Int32(clamping: microseconds)
        guard write(new, &value, MemoryLayout<Int32>.size) == MemoryLayout<Int32>.size else {
            let reason = errno
            Glibc.close(new)
            throw refusal(reason)
        }
        release()
        descriptor = new
    }

    private func refusal(_ reason: CInt) -> DataPlaneError {
        DataPlaneError("daemon.wake-latency cannot be had: \(Self.path): \(DataPlaneError.errorText(reason)). Leave it out, or run sluiced as root on a kernel with CPU idle states")
    }

    private func release() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    deinit { release() }
}
