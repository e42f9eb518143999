import Synchronization

/// Kernel interfaces whose sockets this process closed lately. The kernel takes AF_XDP sockets off their queues some time after they were closed
/// (xp_put_pool in net/xdp/xsk_buff_pool.c leaves it to a work queue), and refuses others until then.
let closings = Closings()

final class Closings: Sendable {
    private let times = Mutex<[Int: ContinuousClock.Instant]>([:])
    private static let patience = Duration.seconds(2)
    /// Some milliseconds are usual, more where the machine is busy.
    private static let usual = Duration.milliseconds(60)

    /// - Parameter interface: its index.
    func note(_ interface: Int) {
        times.withLock { $0 = $0.filter { $0.value.duration(to: .now) < Self.patience }.merging([interface: .now]) { $1 } }
    }

    /// Waits until the kernel should have taken off what was closed: to try sooner costs buffers.
    func settle(_ interface: Int) {
        while let time = times.withLock({ $0[interface] }), time.duration(to: .now) < Self.usual { pause(microseconds: 5_000) }
    }

    /// Waits, if one of that index was closed so lately that trying again may help.
    /// - Returns: false where it does not.
    func wait(for interface: Int) -> Bool {
        guard let time = times.withLock({ $0[interface] }), time.duration(to: .now) < Self.patience else { return false }
        pause(microseconds: 200_000)
        return true
    }
}
