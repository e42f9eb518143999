import Bridge
import DPDKShim
import Packet
import Scheduler

/// What one poll loop punts: frames for the switch itself, a copy of each to the control thread. No port has more than its budget, so that none can take the
/// ring, or the control thread, from the others.
struct Punts: ~Copyable {
    let ring = PuntRing()
    /// By `PortIndex`: until when what the port has punted lasts at the budget's rate (the generic cell rate algorithm, ITU-T I.371).
    private let budgets: UnsafeMutablePointer<Nanoseconds> = .zeroed(maxPorts)
    deinit {
        ring.deallocate()
        budgets.free()
    }

    /// Whether a port's budget has a frame left, which counts then: it has 1000 frames a second, and 256 at once.
    @inline(__always) @_noLocks
    func takeBudget(of port: PortIndex, at now: Nanoseconds) -> Bool {
        let cost: Nanoseconds = 1_000_000, depth: Nanoseconds = 256_000_000
        let until = max(budgets[Int(port)], now)
        if until &- now > depth &- cost { return false }
        budgets[Int(port)] = until &+ cost
        return true
    }
}

/// Gives the control thread a copy of a received frame, which it looks for every 50 ms: a loop makes no system call to tell it. False: its port has punted too many, or there is no room.
@inline(never) @_noLocks
func punt(_ frame: Frame, _ kind: PuntKind, from port: PortIndex, vlan: UInt16, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let length = Int(sluice_frame_length(frame))
    guard lcore.pointee.punts.takeBudget(of: port, at: lcore.pointee.now), let place = lcore.pointee.punts.ring.begin(length) else { return false }
    sluice_frame_read(frame, place)
    lcore.pointee.punts.ring.finish(length, kind: kind, port: port, vlan: vlan)
    lcore.pointee.counters[Int(port)].punted &+= 1
    return true
}
