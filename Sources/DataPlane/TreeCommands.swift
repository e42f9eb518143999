import Scheduler
import Synchronization

/// One change to a tree, carried out by the lcore that owns the instance, between two turns.
struct TreeCommand {
    enum Operation: UInt8 { case add, change, remove, unpark }
    var operation: Operation
    var tree: UnsafeMutablePointer<ClassTree>
    var id: ClassID
    var parent: ClassID
    var parameters: ClassParameters
}

/// Commands from the control thread to one lcore: a ring with one writer and one reader.
struct TreeCommandRing {
    private static let capacity: UInt64 = 1_024
    private let slots: UnsafeMutablePointer<TreeCommand>
    /// Commands ever put in (control thread) and ever carried out (lcore).
    private let indices: UnsafeMutablePointer<Indices>

    struct Indices: ~Copyable {
        let written = Atomic<UInt64>(0)
        let done = Atomic<UInt64>(0)
        /// Commands a tree refused: a fault of the plan that made them.
        let refused = Atomic<UInt64>(0)
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
    func put(_ command: TreeCommand) -> Bool {
        let written = indices.pointee.written.load(ordering: .relaxed)
        guard written &- indices.pointee.done.load(ordering: .acquiring) < Self.capacity else { return false }
        slots[Int(written % Self.capacity)] = command
        indices.pointee.written.store(written &+ 1, ordering: .releasing)
        return true
    }

    /// Control thread: everything put in was carried out.
    var isDone: Bool { indices.pointee.done.load(ordering: .acquiring) == indices.pointee.written.load(ordering: .relaxed) }
    var refused: UInt64 { indices.pointee.refused.load(ordering: .relaxed) }

    /// The lcore: carries out up to 64 commands.
    @inline(__always) @_noLocks
    func run(at now: Nanoseconds) {
        let done = indices.pointee.done.load(ordering: .relaxed)
        let written = indices.pointee.written.load(ordering: .acquiring)
        if done == written { return }
        runSome(done, min(written, done &+ 64), now)
    }

    @inline(never) @_noLocks
    private func runSome(_ first: UInt64, _ end: UInt64, _ now: Nanoseconds) {
        var next = first
        while next != end {
            let command = slots + Int(next & (Self.capacity &- 1))
            let tree = command.pointee.tree
            let verdict: ChangeVerdict
            switch command.pointee.operation {
            case .add: verdict = tree.pointee.add(command.pointee.id, under: command.pointee.parent, command.pointee.parameters, at: now)
            case .change: verdict = tree.pointee.change(command.pointee.id, command.pointee.parameters, at: now)
            case .remove: verdict = tree.pointee.remove(command.pointee.id, at: now)
            case .unpark:
                tree.pointee.unpark(output: command.pointee.parameters.output)
                verdict = .done
            }
            if verdict != .done { indices.pointee.refused.add(1, ordering: .relaxed) }
            next &+= 1
        }
        indices.pointee.done.store(next, ordering: .releasing)
    }
}
