import Configuration
import Synchronization

/// What is kept of each mirror as long as a mirror of that name exists: its counters, and what the poll loops change. The control thread uses it.
struct MirrorRecords {
    private var named: [String: MirrorRecord] = [:]
    /// The records of removed mirrors, until no poll loop uses them.
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

    /// Assigns numbers to the sets of mirrors that frames may be marked with from now on.
    mutating func number(_ wanted: Set<[String]>) -> [[String]: UInt8] { sets.number(wanted) }

    /// Frees all records. No poll loop may use any of them.
    mutating func destroy() {
        for record in Array(named.values) + retired { record.destroy() }
        (named, retired) = ([:], [])
    }
}

/// The record of one mirror.
final class MirrorRecord {
    let state: UnsafeMutablePointer<MirrorState>
    /// The counters of each lcore, by its index.
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

/// Assigns numbers from 1 to 255 to sets of mirrors. Waiting frames are marked with them (`EgressTag.watch`). A number that is no longer used is given to
/// another set as late as possible, so that no frame that still waits is copied by the wrong mirrors.
package struct MirrorSets {
    private var numbers: [[String]: UInt8] = [:]
    /// The unused numbers; the first will be assigned first.
    private var free = Array(UInt8(1)...UInt8.max)

    package init() {}

    /// - Parameter wanted: at most `Model.mostMirroredSets` sets. Sets that are not among them lose their numbers.
    package mutating func number(_ wanted: Set<[String]>) -> [[String]: UInt8] {
        for (set, number) in numbers.sorted(by: { $0.value < $1.value }) where !wanted.contains(set) {
            numbers[set] = nil
            free.append(number)
        }
        for set in wanted.sorted(by: { $0.lexicographicallyPrecedes($1) }) where numbers[set] == nil && !free.isEmpty { numbers[set] = free.removeFirst() }
        return numbers
    }
}
