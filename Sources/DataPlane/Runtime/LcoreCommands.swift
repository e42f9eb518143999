import DPDKShim
import Scheduler
import Synchronization

/// One change to what an lcore owns. The lcore carries it out itself, between two turns.
enum LcoreCommand: BitwiseCopyable {
    case change(UnsafeMutablePointer<ClassTree>, TreeStep)
    case pace(UnsafeMutablePointer<Pacer>, Pacer.Rates)
    /// Sends a frame that the switch itself made.
    case inject(UnsafeMutablePointer<Injection>)
    /// Lasts until all that the lcore holds now has been sent, over as many turns as that takes, unless it is abandoned.
    case drain
}

extension CommandRing<LcoreCommand, ChangeVerdict> {
    /// Ends a `drain`, whatever the lcore still holds, so that the ring is empty afterwards. The control thread calls it.
    func abandonDraining(of lcore: UnsafeMutablePointer<Lcore>) {
        abandon(true)
        waitFor(lcore, microseconds: 20) { !isDone }
        abandon(false)
    }
}

/// Carries out up to 64 commands.
@inline(__always) @_noLocks
func runCommands(_ lcore: UnsafeMutablePointer<Lcore>) {
    let (first, end) = lcore.pointee.commands.next(atMost: 64)
    if first != end { run(first, end, lcore) }
}

@inline(never) @_noLocks
private func run(_ first: UInt64, _ end: UInt64, _ lcore: UnsafeMutablePointer<Lcore>) {
    let began = sluice_cycles()
    var next = first
    while next != end, carryOut(next, lcore) { next &+= 1 }
    lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), cycles: sluice_cycles() &- began)
    lcore.pointee.commands.finish(before: next)
}

/// Carries out a command.
/// - Returns: false if the command takes further turns.
@inline(__always) @_noLocks
private func carryOut(_ number: UInt64, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    switch lcore.pointee.commands.command(number).pointee {
    case .change(let tree, .freeFrames):
        discard(tree, lcore)
    case .change(let tree, let step):
        let verdict = step.carryOut(on: tree, at: lcore.pointee.now)
        if verdict != .done { lcore.pointee.commands.refuse(number, verdict) }
    case .pace(let pacer, let rates):
        pacer.pointee.set(rates, now: lcore.pointee.now)
    case .inject(let injection):
        inject(injection, lcore)
    case .drain:
        if !lcore.pointee.commands.isAbandoned && !drain(lcore) { return false }
        lcore.pointee.draining = Draining()
    }
    return true
}
