import DPDKShim
import Glibc
import Scheduler
import Synchronization

/// Queues move from loop to loop in three steps, so that no frame is lost and no flow reordered: first the old loop stops polling the queue, then it sends the
/// frames that it still holds, as some may be from that queue, and only then does the new loop begin to poll it. Meanwhile frames wait where they are: in the
/// guest's ring, which loses nothing, or in the device's.
///
/// A class that is over its rate may hold frames for long. A move for the sake of balance is given up after `longestDraining`, and the old loop continues to
/// poll the queue. A move that is necessary is made all the same, and may let frames overtake those that the old loop still holds. Moves are necessary if the
/// port was pinned to other CPUs, if a pace now requires all its queues on one loop, or if its guest has connected with memory on another NUMA node.
extension DataPlane {
    /// The longest time for which a queue is not polled by any loop, in ns.
    static var longestDraining: UInt64 { 250_000_000 }

    /// Makes the loops poll the queues as `wanted` says.
    /// - Parameter orGiveUp: whether to give up if a loop still holds frames after `longestDraining`.
    /// - Returns: false if the move was given up.
    @discardableResult
    func move(to wanted: Placement, orGiveUp: Bool = false) -> Bool {
        let old = placement
        let moved = wanted.moved(from: old)
        placement = wanted
        guard !moved.isEmpty else {
            exchange { snapshot(for: $0, leavingOut: []) }
            return true
        }
        exchange { snapshot(for: $0, leavingOut: moved) }
        let isDrained = drain(Set(moved.compactMap { old.loops[$0] }))
        if !isDrained && orGiveUp { placement = old }
        exchange { snapshot(for: $0, leavingOut: []) }
        return isDrained || !orGiveUp
    }

    /// Waits until these loops have sent what they hold.
    /// - Returns: false if one of them has not done so in time.
    private func drain(_ loops: Set<Int>) -> Bool {
        var waiting = loops.map { (runtime.lcores.baseAddress! + $0) }
        for lcore in waiting {
            waitFor(lcore, microseconds: 50) {
                if lcore.pointee.commands.put(.drain) { return false }
                runtime.lcores.wake()
                return true
            }
        }
        runtime.lcores.wake()
        let deadline = runtime.now + Self.longestDraining
        while !waiting.isEmpty && runtime.now < deadline {
            waiting.removeAll { $0.pointee.commands.isDone }
            if !waiting.isEmpty { pause(microseconds: 50) }
        }
        for lcore in waiting { lcore.pointee.commands.abandonDraining(of: lcore) }
        return waiting.isEmpty
    }
}
