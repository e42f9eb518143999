import Configuration
import Synchronization

/// What lasts of mirrors as long as they have their names: what they counted, and what poll loops change. Used by the control thread.
struct MirrorRecords {
    private var named: [String: MirrorRecord] = [:]
    /// Of mirrors that are gone, until no loop has them.
    private var retired: [MirrorRecord] = []
    private var sets = MirrorSets()

    subscript(name: String) -> MirrorRecord? { named[name] }

    mutating func adopt(_ mirrors: [MirrorSettings], lcores: Int) {
        let names = Set(mirrors.map(\.name))
        retired += named.filter { !names.contains($0.key) }.values
        named = named.filter { names.contains($0.key) }
        for name in names where named[name] == nil { named[name] = MirrorRecord(lcores: lcores) }
    }

    mutating func takeRetired() -> [MirrorRecord] {
        defer { retired = [] }
        return retired
    }

    /// The numbers of sets of mirrors that frames may say from now on.
    mutating func number(_ wanted: Set<[String]>) -> [[String]: UInt8] { sets.number(wanted) }

    /// No loop has any.
    mutating func destroy() {
        for record in Array(named.values) + retired { record.destroy() }
        (named, retired) = ([:], [])
    }
}

/// Of one mirror.
final class MirrorRecord {
    let state: UnsafeMutablePointer<MirrorState>
    /// By lcore.
    let counters: [UnsafeMutablePointer<MirrorCounters>]

    init(lcores: Int) {
        state = .onOwnLines(1)
        state.initialize(to: MirrorState())
        counters = (0..<lcores).map { _ in .zeroed(1) }
    }

    func destroy() {
        state.deinitialize(count: 1)
        state.deallocate()
        for memory in counters { memory.free() }
    }
}

/// Numbers of sets of mirrors, 1 to 255, which frames that wait say (`EgressTag.watch`). A number that is free again is given to another set as late as can be, so that no
/// frame that still waits is copied by the wrong ones.
package struct MirrorSets {
    private var numbers: [[String]: UInt8] = [:]
    /// Those that are free, the first to be given first.
    private var free = Array(UInt8(1)...UInt8.max)

    package init() {}

    /// - Parameter wanted: at most `Model.mostMirroredSets`.
    package mutating func number(_ wanted: Set<[String]>) -> [[String]: UInt8] {
        for (set, number) in numbers.sorted(by: { $0.value < $1.value }) where !wanted.contains(set) {
            numbers[set] = nil
            free.append(number)
        }
        for set in wanted.sorted(by: { $0.lexicographicallyPrecedes($1) }) where numbers[set] == nil && !free.isEmpty { numbers[set] = free.removeFirst() }
        return numbers
    }
}
