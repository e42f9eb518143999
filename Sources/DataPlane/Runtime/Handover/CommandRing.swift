import Synchronization

/// Commands from the control thread to one poll loop, which carries them out in order: a ring with one writer and one reader. Commands that the loop refuses
/// are kept with the reason until the control thread asks for them.
package struct CommandRing<Command: BitwiseCopyable, Reason: BitwiseCopyable>: @unchecked Sendable {
    private let slots: UnsafeMutablePointer<Command>
    /// The latest commands that were refused, and the reasons: at most `CommandRingIndices.keptRefusals` of each.
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

    /// Frees the ring; neither side may use it any more.
    package func deallocate() {
        slots.deallocate()
        refused.deallocate()
        reasons.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    // MARK: The control thread

    /// Adds a command.
    /// - Returns: false if the ring is full.
    package func put(_ command: Command) -> Bool {
        let written = indices.pointee.written.load(ordering: .relaxed)
        guard written &- indices.pointee.done.load(ordering: .acquiring) < CommandRingIndices.capacity else { return false }
        self.command(written).initialize(to: command)
        indices.pointee.written.store(written &+ 1, ordering: .releasing)
        return true
    }

    /// Whether every command that was added has been carried out or refused.
    package var isDone: Bool { indices.pointee.done.load(ordering: .acquiring) == indices.pointee.written.load(ordering: .relaxed) }

    /// While this is set, the loop ends a command that takes many turns, even if it is not complete.
    package func abandon(_ isAbandoned: Bool) { indices.pointee.abandoned.store(isAbandoned, ordering: .releasing) }

    /// The commands that were refused since the last call, with the reasons, and the number of older refusals that are no longer known. It may only be called
    /// while the ring `isDone`.
    package func takeRefusals() -> (refusals: [(command: Command, reason: Reason)], lost: UInt64) {
        let end = indices.pointee.refused, told = indices.pointee.told
        indices.pointee.told = end
        let first = max(told, end - min(end, CommandRingIndices.keptRefusals))
        let places = (first..<end).map { Int($0 % CommandRingIndices.keptRefusals) }
        return (places.map { (refused[$0], reasons[$0]) }, first - told)
    }

    // MARK: The loop

    /// Whether there are commands that have not been carried out yet.
    @inline(__always)
    package var hasMore: Bool {
        @_noLocks get { indices.pointee.done.load(ordering: .relaxed) != indices.pointee.written.load(ordering: .acquiring) }
    }

    /// The numbers of the next commands, at most `most` of them: from `first` up to but not including `end`.
    @inline(__always) @_noLocks
    package func next(atMost most: UInt64) -> (first: UInt64, end: UInt64) {
        let done = indices.pointee.done.load(ordering: .relaxed)
        return (done, min(indices.pointee.written.load(ordering: .acquiring), done &+ most))
    }

    /// The command that has a number given by `next`.
    @inline(__always)
    package func command(_ number: UInt64) -> UnsafeMutablePointer<Command> {
        slots + Int(truncatingIfNeeded: number & (CommandRingIndices.capacity &- 1))
    }

    /// Tells the control thread that all commands before that number have been carried out or refused.
    @inline(__always) @_noLocks
    package func finish(before number: UInt64) { indices.pointee.done.store(number, ordering: .releasing) }

    /// Keeps a command that was refused for the control thread, which learns of it once the command is finished.
    @inline(__always)
    package func refuse(_ number: UInt64, _ reason: Reason) {
        let count = indices.pointee.refused
        let place = Int(truncatingIfNeeded: count & (CommandRingIndices.keptRefusals &- 1))
        (refused + place).initialize(to: command(number).pointee)
        (reasons + place).initialize(to: reason)
        indices.pointee.refused = count &+ 1
    }

    /// Whether the control thread no longer waits for a command that takes many turns.
    @inline(__always) package var isAbandoned: Bool { @_noLocks get { indices.pointee.abandoned.load(ordering: .acquiring) } }
}

/// How far the writer and the reader of a `CommandRing` have come.
package struct CommandRingIndices: ~Copyable {
    /// The number of commands that a ring holds, and the number of refusals that are kept until they are asked for; if there are more, the latest are kept.
    @inline(__always) package static var capacity: UInt64 { @_noLocks get { 1_024 } }
    @inline(__always) package static var keptRefusals: UInt64 { @_noLocks get { 16 } }

    /// How many commands were ever added; written by the control thread.
    let written = Atomic<UInt64>(0)
    /// How many commands were ever carried out or refused; written by the loop.
    let done = Atomic<UInt64>(0)
    let abandoned = Atomic<Bool>(false)
    /// How many commands were ever refused. Only the loop uses it, except while the ring is done.
    var refused: UInt64 = 0
    /// How many of these the control thread has been told of. Only the control thread uses it.
    var told: UInt64 = 0
}
