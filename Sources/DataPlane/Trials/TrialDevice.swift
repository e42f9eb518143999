import DPDKShim
import Glibc

/// An Ethernet device of one queue pair, for trials: it receives what the trial gives it, and takes as many frames as the trial lets it. EAL knows nothing of
/// it. It stands in ethdev's table of the functions that rte_eth_rx_burst and rte_eth_tx_burst call.
package final class TrialDevice {
    typealias Burst = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Frame?>?, UInt16) -> UInt16

    /// The device's number. No two trials at a time may use the same.
    let number: UInt16
    private let tables = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 2)
    private var waiting: [Frame] = []
    /// How many more frames the device takes.
    package var room = Int.max
    /// Called with every frame that the device has taken.
    var taken: (Frame) -> Void = { _ in }
    /// Called when a loop has received frames.
    var received: () -> Void = {}
    /// Called after a burst of which the device has taken some.
    package var afterBurst: () -> Void = {}

    /// - Parameter number: one of ethdev's 32 numbers.
    init(_ number: UInt16) {
        precondition(number < 32, "ethdev has 32 numbers")
        self.number = number
        // The queue, and its list of callbacks, which is empty.
        tables[0] = Unmanaged.passUnretained(self).toOpaque()
        tables[1] = nil
        let receive: Burst = { queue, frames, count in TrialDevice.of(queue).receive(frames!, Int(count)) }
        let send: Burst = { queue, frames, count in TrialDevice.of(queue).send(frames!, Int(count)) }
        // This is the layout of `struct rte_eth_fp_ops` in DPDK 22.11 (rte_ethdev_core.h): functions at 0 and 64, tables of queues and of callbacks at 24 and
        // 88.
        let place = Self.place(number)
        place.storeBytes(of: unsafeBitCast(receive, to: UnsafeRawPointer.self), as: UnsafeRawPointer.self)
        place.storeBytes(of: unsafeBitCast(send, to: UnsafeRawPointer.self), toByteOffset: 64, as: UnsafeRawPointer.self)
        for offset in [24, 88] {
            place.storeBytes(of: UnsafeRawPointer(tables), toByteOffset: offset, as: UnsafeRawPointer.self)
            place.storeBytes(of: UnsafeRawPointer(tables + 1), toByteOffset: offset + 8, as: UnsafeRawPointer.self)
        }
    }

    deinit {
        Self.place(number).initializeMemory(as: UInt8.self, repeating: 0, count: 128)
        tables.deallocate()
    }

    private static func place(_ number: UInt16) -> UnsafeMutableRawPointer {
        guard let table = dlsym(nil, "rte_eth_fp_ops") else { preconditionFailure("ethdev has no table of fast functions") }
        return table + Int(number) * 128
    }

    private static func of(_ queue: UnsafeMutableRawPointer?) -> TrialDevice { Unmanaged.fromOpaque(queue!).takeUnretainedValue() }

    /// Has the device receive frames at the next polls.
    func give(_ frames: [Frame]) { waiting += frames }

    private func receive(_ frames: UnsafeMutablePointer<Frame?>, _ most: Int) -> UInt16 {
        let count = min(most, waiting.count)
        for index in 0..<count { frames[index] = waiting[index] }
        waiting.removeFirst(count)
        if count != 0 { received() }
        return UInt16(count)
    }

    private func send(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) -> UInt16 {
        let taken = min(count, room)
        if room != .max { room -= taken }
        for index in 0..<taken { self.taken(frames[index]!) }
        if taken != 0 { afterBurst() }
        return UInt16(taken)
    }
}
