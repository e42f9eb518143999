import Synchronization

/// Commands from the control thread to one poll loop, carried out in order: a ring with one writer and one reader. What the loop refuses to do comes back
/// with the reason.
package struct CommandRing<Command: BitwiseCopyable, Reason: BitwiseCopyable>: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<Command>
    /// What was refused, and why: `CommandRingIndices.keptRefusals` of each.
    private let refused: UnsafeMutablePointer<Command>
    private let reasons: UnsafeMutablePointer<Reason>
    private let indices: UnsafeMutablePointer<CommandRingIndices>

    package init() {
        slots = .allocate(capacity: Int(CommandRingIndices.capacity))
        refused = .allocate(capacity: Int(CommandRingIndices.keptRefusals))
        reasons = .allocate(capacity: Int(CommandRingIndices.keptRefusals))
        indices = .allocate(capacity: 1)
        indices.initialize(to: CommandRingIndices())
    }

    package func deallocate() {
        slots.deallocate()
        refused.deallocate()
        reasons.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    // MARK: The control thread

    /// False when the ring is full for now.
    package func put(_ command: Command) -> Bool {
        let written = indices.pointee.written.load(ordering: .relaxed)
        guard written &- indices.pointee.done.load(ordering: .acquiring) < CommandRingIndices.capacity else { return false }
        self.command(written).initialize(to: command)
        indices.pointee.written.store(written &+ 1, ordering: .releasing)
        return true
    }

    /// Everything put in was carried out or refused.
    package var isDone: Bool { indices.pointee.done.load(ordering: .acquiring) == indices.pointee.written.load(ordering: .relaxed) }

    /// While this is set the loop ends a command that takes many turns, whatever is left of it.
    package func abandon(_ isAbandoned: Bool) { indices.pointee.abandoned.store(isAbandoned, ordering: .releasing) }

    /// What was refused since this was asked last, and how many refusals before those are no longer known. The ring `isDone`.
    package func takeRefusals() -> (refusals: [(command: Command, reason: Reason)], lost: UInt64) {
        let end = indices.pointee.refused, told = indices.pointee.told
        indices.pointee.told = end
        let first = max(told, end - min(end, CommandRingIndices.keptRefusals))
        let places = (first..<end).map { Int($0 % CommandRingIndices.keptRefusals) }
        return (places.map { (refused[$0], reasons[$0]) }, first - told)
    }

    // MARK: The loop

    /// There are commands that were not carried out.
    @inline(__always)
    package var hasMore: Bool {
        @_noLocks get { indices.pointee.done.load(ordering: .relaxed) != indices.pointee.written.load(ordering: .acquiring) }
    }

    /// Numbers of the commands that are next, `most` of them at most: from the first to where they end.
    @inline(__always) @_noLocks
    package func next(atMost most: UInt64) -> (first: UInt64, end: UInt64) {
        let done = indices.pointee.done.load(ordering: .relaxed)
        return (done, min(indices.pointee.written.load(ordering: .acquiring), done &+ most))
    }

    /// The command of a number that `next` gave.
    @inline(__always)
    package func command(_ number: UInt64) -> UnsafeMutablePointer<Command> {
        slots + Int(truncatingIfNeeded: number & (CommandRingIndices.capacity &- 1))
    }

    /// All commands before that number have been carried out or refused.
    @inline(__always) @_noLocks
    package func finish(before number: UInt64) { indices.pointee.done.store(number, ordering: .releasing) }

    /// Keeps a command that was not carried out for the control thread, which learns of it once the command is finished.
    @inline(__always)
    package func refuse(_ number: UInt64, _ reason: Reason) {
        let count = indices.pointee.refused
        let place = Int(truncatingIfNeeded: count & (CommandRingIndices.keptRefusals &- 1))
        (refused + place).initialize(to: command(number).pointee)
        (reasons + place).initialize(to: reason)
        indices.pointee.refused = count &+ 1
    }

    /// The control thread waits no longer for the command that takes many turns.
    @inline(__always) package var isAbandoned: Bool { @_noLocks get { indices.pointee.abandoned.load(ordering: .acquiring) } }
}

/// How far the two sides of a `CommandRing` are.
package struct CommandRingIndices: ~Copyable {
    /// Commands that a ring holds, and refusals that are kept until they are asked for; of more the latest.
    @inline(__always) package static var capacity: UInt64 { @_noLocks get { 1_024 } }
    @inline(__always) package static var keptRefusals: UInt64 { @_noLocks get { 16 } }

    /// Commands ever put in; written by the control thread.
    let written = Atomic<UInt64>(0)
    /// Commands ever carried out or refused; written by the loop.
    let done = Atomic<UInt64>(0)
    let abandoned = Atomic<Bool>(false)
    /// Refusals ever. The loop's own, but while the ring is done.
    var refused: UInt64 = 0
    /// Of them those that the control thread has been told of; its own.
    var told: UInt64 = 0
}
