import Configuration
import DPDKShim
import Filters

/// A filter's rules as programs, and what poll loops counted with them. Used by the control thread.
final class FilterProgram {
    let rules: [FilterRule]
    let standard: FilterAction
    /// To be run, without counting.
    let loaded: sluice_filter
    let partCount: Int
    /// By lcore.
    private let hits: [UnsafeMutablePointer<UInt64>]
    private let verdicts: [UnsafeMutablePointer<UInt16>]
    /// What the same rules counted before, in programs that are gone; by rule, the default last.
    private var earlier: [UInt64]

    /// - Parameter name: whose it is, for errors.
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

    /// Where there is no memory for native code, rules are run one by one.
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

    /// Frames that each rule decided about, those of the default last.
    var counts: [UInt64] { earlier.indices.map { place in hits.reduce(earlier[place]) { $0 &+ $1[place] } } }

    /// Takes over what a program in whose place this one is counted with the same rules. No loop runs that any more.
    func inherit(from old: FilterProgram) {
        var left = Dictionary(grouping: zip(old.rules, old.counts), by: \.0).mapValues { $0.map(\.1)[...] }
        for (place, rule) in rules.enumerated() { earlier[place] &+= left[rule]?.popFirst() ?? 0 }
        if standard == old.standard { earlier[rules.count] &+= old.counts[old.rules.count] }
    }

    /// No loop may still run it.
    func destroy() {
        for place in rules.indices { sluice_filter_unload(loaded.rules + place) }
        for place in 0..<partCount { sluice_filter_part_unload(loaded.parts + place) }
        loaded.rules.free()
        loaded.parts.free()
        for memory in hits { memory.free() }
        for memory in verdicts { memory.free() }
    }
}
