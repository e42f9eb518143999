import DPDKShim
import Scheduler
import Synchronization

/// One change to what an lcore owns, carried out by it between two turns.
struct LcoreCommand {
    enum Operation: UInt8 {
        /// To a class of `tree`; `parent` is where it is added or moved to, or who takes over what a class that is removed had.
        case add, change, move, remove
        /// Has `tree` charge each frame `parameters`' burst more.
        case overhead
        /// Wakes the leaves of `parameters.output` in `tree`.
        case unpark
        /// Frees what `tree` gave up.
        case drain
        /// Takes as many turns as it takes to send all that the lcore holds now, unless it is abandoned.
        case settle
        /// Sets `pacer` to `parameters`' floor (the average), peak and burst.
        case pace
    }
    var operation: Operation
    var tree: UnsafeMutablePointer<ClassTree>?
    var pacer: UnsafeMutablePointer<Pacer>?
    var id: ClassID = 0
    var parent: ClassID = 0
    var parameters = ClassParameters()
}

/// Commands from the control thread to one lcore: a ring with one writer and one reader.
struct LcoreCommandRing {
    private static let capacity: UInt64 = 1_024
    private let slots: UnsafeMutablePointer<LcoreCommand>
    /// Commands ever put in (control thread) and ever carried out (lcore).
    private let indices: UnsafeMutablePointer<Indices>

    struct Indices: ~Copyable {
        let written = Atomic<UInt64>(0)
        let done = Atomic<UInt64>(0)
        /// Commands a tree refused: a fault of the plan that made them.
        let refused = Atomic<UInt64>(0)
        /// The control thread waits no longer for the command that takes many turns.
        let abandoned = Atomic<Bool>(false)
    }

    init() {
        slots = .allocate(capacity: Int(Self.capacity))
        indices = .allocate(capacity: 1)
        indices.initialize(to: Indices())
    }

    func deallocate() {
        slots.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    /// Control thread: false when the ring is full for now.
    func put(_ command: LcoreCommand) -> Bool {
        let written = indices.pointee.written.load(ordering: .relaxed)
        guard written &- indices.pointee.done.load(ordering: .acquiring) < Self.capacity else { return false }
        slots[Int(written % Self.capacity)] = command
        indices.pointee.written.store(written &+ 1, ordering: .releasing)
        return true
    }

    /// Control thread: ends a `settle`, whatever the lcore still holds. The ring is empty afterwards.
    func abandon(_ lcore: UnsafeMutablePointer<Lcore>) {
        indices.pointee.abandoned.store(true, ordering: .releasing)
        waitFor(lcore, microseconds: 20) { !isDone }
        indices.pointee.abandoned.store(false, ordering: .releasing)
    }

    /// Control thread: everything put in was carried out.
    var isDone: Bool { indices.pointee.done.load(ordering: .acquiring) == indices.pointee.written.load(ordering: .relaxed) }
    var refused: UInt64 { indices.pointee.refused.load(ordering: .relaxed) }

    /// The lcore: there are commands that were not carried out.
    @inline(__always) var hasMore: Bool {
        @_noLocks get { indices.pointee.done.load(ordering: .relaxed) != indices.pointee.written.load(ordering: .acquiring) }
    }

    /// The lcore: carries out up to 64 commands.
    @inline(__always) @_noLocks
    func run(_ lcore: UnsafeMutablePointer<Lcore>) {
        let done = indices.pointee.done.load(ordering: .relaxed)
        let written = indices.pointee.written.load(ordering: .acquiring)
        if done == written { return }
        runSome(done, min(written, done &+ 64), lcore)
    }

    @inline(never) @_noLocks
    private func runSome(_ first: UInt64, _ end: UInt64, _ lcore: UnsafeMutablePointer<Lcore>) {
        let now = lcore.pointee.now
        let began = sluice_cycles()
        var next = first
        while next != end {
            let command = slots + Int(truncatingIfNeeded: next & (Self.capacity &- 1))
            if command.pointee.operation == .settle {
                if !indices.pointee.abandoned.load(ordering: .relaxed) && !settle(lcore) { break }
                lcore.pointee.settling = Settling()
            } else if let tree = command.pointee.tree {
                if change(tree, command, lcore) != .done { indices.pointee.refused.add(1, ordering: .relaxed) }
            } else if let pacer = command.pointee.pacer {
                let parameters = command.pointee.parameters
                pacer.pointee.set(average: parameters.floor, peak: parameters.peak, burst: parameters.burst, now: now)
            }
            next &+= 1
        }
        lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), cycles: sluice_cycles() &- began)
        indices.pointee.done.store(next, ordering: .releasing)
    }

    @_noLocks
    private func change(_ tree: UnsafeMutablePointer<ClassTree>, _ command: UnsafeMutablePointer<LcoreCommand>, _ lcore: UnsafeMutablePointer<Lcore>) -> ChangeVerdict {
        if command.pointee.operation == .drain {
            discard(tree, lcore)
            return .done
        }
        return command.pointee.carryOut(on: tree, at: lcore.pointee.now)
    }
}

extension LcoreCommand {
    /// Makes the change to a tree that it says.
    @_noLocks
    func carryOut(on tree: UnsafeMutablePointer<ClassTree>, at now: Nanoseconds) -> ChangeVerdict {
        switch operation {
        case .add: return tree.pointee.add(id, under: parent, parameters, at: now)
        case .change: return tree.pointee.change(id, parameters, at: now)
        case .move: return tree.pointee.move(id, under: parent, at: now)
        case .remove: return tree.pointee.remove(id, leavingTo: parent, at: now)
        case .overhead: tree.pointee.change(overhead: Int(parameters.burst))
        case .unpark: tree.pointee.unpark(output: parameters.output)
        case .drain, .pace, .settle: break
        }
        return .done
    }
}
