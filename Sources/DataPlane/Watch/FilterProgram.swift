import Configuration
import DPDKShim
import Filters

/// The compiled programs of a filter's rules, and the counters that poll loops keep for them. Only the control thread uses this class; poll loops use the views
/// that it makes.
final class FilterProgram {
    let rules: [FilterRule]
    let standard: FilterAction
    /// The rules and parts that poll loops run.
    let loaded: sluice_filter
    let partCount: Int
    /// For each lcore a counter for each rule, and room for the verdicts on a burst.
    private let hits: [UnsafeMutablePointer<UInt64>]
    private let verdicts: [UnsafeMutablePointer<UInt16>]
    /// For each rule, the default last, what the same rule counted in earlier programs that this one has replaced.
    private var earlier: [UInt64]

    /// Compiles and loads the rules.
    ///
    /// - Parameters:
    ///   - standard: the action of the default rule.
    ///   - name: what the rules belong to, such as `filter web`, for errors.
    /// - Throws: a sentence if an expression cannot be compiled or DPDK does not run it.
    init(_ rules: [FilterRule], _ standard: FilterAction, of name: String, lcores: Int) throws(DataPlaneError) {
        self.rules = rules
        self.standard = standard
        let programs: [PacketProgram]
        do {
            programs = try rules.map { try PacketExpression.program(of: $0.expression) }
        } catch { throw DataPlaneError("\(name): \(error)") }
        let parts = JoinedProgram.runs(of: programs)
        partCount = parts.count
        loaded = sluice_filter(rules: .zeroed(rules.count + 1), parts: .zeroed(parts.count + 1))
        hits = (0..<lcores).map { _ in .zeroed(rules.count + 1) }
        verdicts = (0..<lcores).map { _ in .zeroed(burstSize) }
        earlier = Array(repeating: 0, count: rules.count + 1)
        loaded.rules[rules.count].allows = standard == .allow
        for (place, rule) in rules.enumerated() {
            let result = Self.load(programs[place], rule.action, into: loaded.rules + place)
            guard result == 0 else {
                destroy()
                throw DataPlaneError(
                    "\(name): DPDK does not run the expression '\(rule.expression)' (\(DataPlaneError.errorText(result))): write it in another way, or as several rules")
            }
        }
        for (place, part) in parts.enumerated() { Self.load(part, programs, into: loaded.parts + place) }
        loaded.parts[parts.count].first = UInt16(rules.count)
        loaded.parts[parts.count].end = UInt16(rules.count)
    }

    private static func load(_ program: PacketProgram, _ action: FilterAction, into rule: UnsafeMutablePointer<sluice_filter_rule>) -> CInt {
        rule.pointee.allows = action == .allow
        rule.pointee.sees_tags = program.seesTags
        return sluice_filter_load(rule, program.instructions, UInt32(program.instructions.count))
    }

    /// Loads a part. If there is no memory for its native code, its rules are run one by one.
    private static func load(_ run: JoinedProgram.Run, _ programs: [PacketProgram], into part: UnsafeMutablePointer<sluice_filter_part>) {
        part.pointee.first = UInt16(run.programs.lowerBound)
        part.pointee.end = UInt16(run.programs.upperBound)
        part.pointee.sees_tags = programs[run.programs.lowerBound].seesTags
        guard let joined = run.joined else { return }
        part.pointee.reach = UInt32(joined.reach)
        part.pointee.reads_addresses = joined.readsAddresses
        _ = sluice_filter_join(part, joined.code, joined.code.count)
    }

    func view(lcore: Int, reason: DropReason) -> FilterView {
        FilterView(filter: loaded, hits: hits[lcore], verdicts: verdicts[lcore], reason: reason, isLast: false)
    }

    /// The number of frames that each rule decided about, on all lcores together; the default is last.
    var counts: [UInt64] { earlier.indices.map { place in hits.reduce(earlier[place]) { $0 &+ $1[place] } } }

    /// Adds to this program's counters what the program that it replaces counted with the same rules. No poll loop may still run the old one.
    func inherit(from old: FilterProgram) {
        var left = Dictionary(grouping: zip(old.rules, old.counts), by: \.0).mapValues { $0.map(\.1)[...] }
        for (place, rule) in rules.enumerated() { earlier[place] &+= left[rule]?.popFirst() ?? 0 }
        if standard == old.standard { earlier[rules.count] &+= old.counts[old.rules.count] }
    }

    /// Frees the programs and the counters. No poll loop may still run them.
    func destroy() {
        for place in rules.indices { sluice_filter_unload(loaded.rules + place) }
        for place in 0..<partCount { sluice_filter_part_unload(loaded.parts + place) }
        loaded.rules.free()
        loaded.parts.free()
        for memory in hits { memory.free() }
        for memory in verdicts { memory.free() }
    }
}
