import DPDKShim
import Glibc

/// How long CPUs may take to leave an idle state: the kernel's PM QoS request (Documentation/power/pm_qos_interface.rst). It is in force for as long as
/// its descriptor is open, so it ends with the process, however that ends. It holds for all CPUs.
final class WakeLatency {
    private static let path = "/dev/cpu_dma_latency"
    private var descriptor: CInt = -1

    /// - Parameter microseconds: nil: whatever the kernel finds right.
    /// - Throws: a sentence when the kernel takes no request; what was in force before stays.
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
