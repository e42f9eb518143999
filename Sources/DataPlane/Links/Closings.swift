import Synchronization

/// Remembers kernel interfaces whose AF_XDP sockets this process has closed lately. The kernel removes such sockets from their queues some time after they were
/// closed (xp_put_pool in net/xdp/xsk_buff_pool.c leaves it to a work queue), and refuses to bind others until then.
let closings = Closings()

final class Closings: Sendable {
    private let times = Mutex<[Int: ContinuousClock.Instant]>([:])
    private static let patience = Duration.seconds(2)
    /// The kernel usually takes some milliseconds; more if the machine is busy.
    private static let usual = Duration.milliseconds(60)

    /// Records that sockets of an interface were closed.
    /// - Parameter interface: the interface's index.
    func note(_ interface: Int) {
        times.withLock { $0 = $0.filter { $0.value.duration(to: .now) < Self.patience }.merging([interface: .now]) { $1 } }
    }

    /// Waits until the kernel has most likely removed the sockets that were closed, because every attempt that comes too early costs buffers.
    func waitForRemoval(on interface: Int) {
        while let time = times.withLock({ $0[interface] }), time.duration(to: .now) < Self.usual { pause(microseconds: 5_000) }
    }

    /// Waits for a moment if sockets of the interface were closed so lately that another attempt may succeed.
    /// - Returns: false if they were not, so that another attempt is of no use.
    func wait(for interface: Int) -> Bool {
        guard let time = times.withLock({ $0[interface] }), time.duration(to: .now) < Self.patience else { return false }
        pause(microseconds: 200_000)
        return true
    }
}
