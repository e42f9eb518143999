import DPDKShim
import Glibc
import Scheduler
import Synchronization

/// Queues change hands in three steps, so that no frame is lost and no flow reordered: the old loop lets go of the queue; it sends what it
/// still holds, as a frame of the queue may be among it; then the new loop takes the queue up. Meanwhile frames wait where they are: in
/// the guest's ring, which loses nothing, or in the device's.
///
/// A class that is over its rate may hold frames for long. After `longestSettling` a move for the sake of balance is given up, and the old loop goes on
/// with the queue. A move that has to be made is made all the same, and frames that the old loop still holds may then be overtaken: the port was pinned
/// to other CPUs, a pace now keeps its queues together, or its guest has connected with memory of another NUMA node.
extension DataPlane {
    /// Most time a queue is left alone, ns.
    static var longestSettling: UInt64 { 250_000_000 }

    /// - Returns: false if the move was given up.
    @discardableResult
    func take(_ wanted: Placement, orGiveUp: Bool = false) -> Bool {
        let old = placement
        let moved = wanted.moved(from: old)
        placement = wanted
        guard !moved.isEmpty else {
            exchange { snapshot(for: $0, leavingOut: []) }
            return true
        }
        exchange { snapshot(for: $0, leavingOut: moved) }
        let isSettled = settle(Set(moved.compactMap { old.loops[$0] }))
        if !isSettled && orGiveUp { placement = old }
        exchange { snapshot(for: $0, leavingOut: []) }
        return isSettled || !orGiveUp
    }

    /// Waits until loops have sent what they hold. False if one has not in time.
    private func settle(_ loops: Set<Int>) -> Bool {
        var waiting = loops.map { (runtime.lcores.baseAddress! + $0) }
        for lcore in waiting {
            waitFor(lcore, microseconds: 50) {
                if lcore.pointee.commands.put(.settle) { return false }
                runtime.lcores.wake()
                return true
            }
        }
        runtime.lcores.wake()
        let deadline = runtime.now + Self.longestSettling
        while !waiting.isEmpty && runtime.now < deadline {
            waiting.removeAll { $0.pointee.commands.isDone }
            if !waiting.isEmpty { pause(microseconds: 50) }
        }
        for lcore in waiting { lcore.pointee.commands.abandonSettling(of: lcore) }
        return waiting.isEmpty
    }
}
