import Bridge
import DPDKShim
import Packet
import Scheduler

/// What one poll loop punts: copies of frames for the switch itself go to the control thread. Each port has a budget, so that no port can take up the ring, or
/// the control thread, at the expense of the others.
struct Punts: ~Copyable {
    let ring = PuntRing()
    /// For each port, by `PortIndex`, the time until which what it has punted lasts at the budget's rate (the generic cell rate algorithm, ITU-T I.371).
    private let budgets: UnsafeMutablePointer<Nanoseconds> = .zeroed(maxPorts)
    deinit {
        ring.deallocate()
        budgets.free()
    }

    /// Takes a frame from a port's budget, which is 1000 frames a second and 256 at once.
    /// - Returns: false if nothing is left of it.
    @inline(__always) @_noLocks
    func takeBudget(of port: PortIndex, at now: Nanoseconds) -> Bool {
        let cost: Nanoseconds = 1_000_000, depth: Nanoseconds = 256_000_000
        let until = max(budgets[Int(port)], now)
        if until &- now > depth &- cost { return false }
        budgets[Int(port)] = until &+ cost
        return true
    }
}

/// Gives the control thread a copy of a received frame. The control thread looks for such frames every 50 ms, so that the loop needs no system call to tell it.
/// - Returns: false if the port has punted too many frames, or there is no room.
@inline(never) @_noLocks
func punt(_ frame: Frame, _ kind: PuntKind, from port: PortIndex, vlan: UInt16, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let length = Int(sluice_frame_length(frame))
    guard sluice_frame_complete(frame) == 0, lcore.pointee.punts.takeBudget(of: port, at: lcore.pointee.now),
        let place = lcore.pointee.punts.ring.begin(length)
    else { return false }
    sluice_frame_read(frame, place)
    lcore.pointee.punts.ring.finish(length, kind: kind, port: port, vlan: vlan)
    lcore.pointee.counters[Int(port)].punted &+= 1
    return true
}
