import Configuration
import Scheduler

/// Runs one tree of a configuration in virtual time, for tests. It gives the tree the same commands at a change as the poll loops get, and leads frames to
/// leaves as they do.
package final class TreeTrial {
    package let tree: UnsafeMutablePointer<ClassTree>
    private var record: TreeRecord
    private var leaves: [String: UInt16] = [:]
    /// The steps that the tree refused, with the reasons.
    package private(set) var refusals: [String] = []
    private var removals: [TreeStep] = []

    package init(_ description: TreeDescription, frames: Int = 65_536, outputs: Int = 16) {
        record = TreeRecord(of: description)
        tree = ClassTree.create(root: TreeRecord.root(description), frames: frames, outputs: outputs, overhead: description.overhead, now: 0)
        change(to: description, at: 0)
        finish(at: 0)
    }

    deinit { ClassTree.destroy(tree) }

    /// The first half of a change. Frames are still led to the leaves that existed before.
    package func change(to wanted: TreeDescription, at now: Nanoseconds) {
        let (before, after) = record.commands(to: wanted) { _ in 0 }
        carryOut(before, at: now)
        record.adopt(wanted) { _ in 0 }
        removals = after
    }

    /// The first half of an edit of one guest or group.
    package func change(_ edit: LocalChange.TreeEdit, at now: Nanoseconds) {
        let (before, after) = record.commands(of: edit) { _ in 0 }
        carryOut(before, at: now)
        record.adopt(edit) { _ in 0 }
        removals = after
    }

    /// Whether the tree has been told exactly what `description` says.
    package func says(_ description: TreeDescription) -> Bool { record.says(description) { _ in 0 } }

    /// The second half of a change: frames are led to the new leaves, and what is no longer needed is removed.
    package func finish(at now: Nanoseconds) {
        leaves = [:]
        for item in record.description.classes where item.isLeaf { leaves[Self.key(item.guest, item.protocolName)] = item.id }
        carryOut(removals, at: now)
        removals = []
    }

    /// Offers a frame to the leaf of a guest and protocol, and returns the tree's verdict.
    package func offer(_ guest: String, _ protocolName: String? = nil, length: UInt32, tag: UInt32 = 0, at now: Nanoseconds) -> EnqueueVerdict {
        guard let leaf = leaves[Self.key(guest, protocolName)] ?? leaves[Self.key(guest, nil)] else { return .notALeaf }
        let handle = UnsafeMutableRawPointer(bitPattern: 64)!
        let verdict = tree.pointee.enqueue(handle, charge: Charge(bytes: length), tag: tag, to: leaf, at: now)
        // This is what `dropRefused` does in the pipeline.
        return verdict == .notALeaf ? tree.pointee.enqueue(handle, charge: Charge(bytes: length), tag: tag, to: tree.pointee.heir(of: leaf), at: now) : verdict
    }

    private static func key(_ guest: String?, _ protocolName: String?) -> String { "\(guest ?? "")/\(protocolName ?? "")" }

    private func carryOut(_ steps: [TreeStep], at now: Nanoseconds) {
        for step in steps {
            let verdict = step.carryOut(on: tree, at: now)
            if verdict != .done { refusals.append("\(step): \(verdict.reason)") }
        }
    }
}
