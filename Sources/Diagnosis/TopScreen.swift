import Configuration
import ControlAPI

/// What `sluice top` shows: the switch in a few lines, and below them guests, classes or ports, each on one. 80 columns are enough.
public struct TopScreen: Sendable {
    public enum View: String, CaseIterable, Sendable { case guests, classes, ports }
    public enum Order: String, CaseIterable, Sendable { case rate, floor, borrowed, waiting, delay, drops, name }

    public var view = View.guests
    public var order = Order.rate
    public var layer = Layer.l2
    /// Only what has this in its name is listed.
    public var filter = ""
    /// How many lines of the list are scrolled past.
    public var first = 0

    public init() {}

    /// - Parameters:
    ///   - columns: the most characters of a line.
    ///   - rows: the most lines; nil: as many as there are.
    public func lines(_ before: Sample, _ now: Sample, columns: Int = 80, rows: Int? = nil) -> [String] {
        let head = head(before, now, columns), table = table(before, now, columns)
        var lines = head + [""] + table.prefix(1)
        let room = rows.map { max(0, $0 - lines.count) } ?? table.count
        lines += table.dropFirst(1 + max(0, min(first, table.count - 2))).prefix(room)
        return lines.map { Self.cut($0, to: columns) }
    }

    /// A text whose end is left out if it is longer than this, as a terminal would go on with it on the next line.
    public static func cut(_ text: String, to columns: Int) -> String { text.count > columns ? String(text.prefix(max(0, columns - 1))) + "…" : text }

    // MARK: The switch

    private func head(_ before: Sample, _ now: Sample, _ columns: Int) -> [String] {
        let status = now.status, seconds = max(now.time - before.time, 0.001)
        func perSecond(_ value: (StatsReply) -> UInt64) -> UInt64 { UInt64(Double(value(now.stats).since(value(before.stats))) / seconds) }
        let up = status.uptimeSeconds, time = up >= 86_400 ? "\(up / 86_400)d\(up / 3_600 % 24)h" : "\(up / 3_600)h\(up / 60 % 60)min"
        let buffers = status.buffers > 0 ? status.buffersInUse * 100 / status.buffers : 0
        var first = "sluice up \(time)  guests \(status.guests)  ports \(status.portsUp)/\(status.ports) up  buffers \(buffers)%  \(layer.rawValue)"
        if !status.portsFailed.isEmpty { first += "  FAILED: \(status.portsFailed.count)" }
        let delivered = Rate(bits: perSecond(\.delivered.bytes) * 8, packets: perSecond(\.delivered.frames))
        var second = "delivered \(Self.short(layer.bits(delivered)))bit \(Self.short(delivered.packets))pps  queued \(now.stats.queued.frames)"
        let drops = now.stats.dropped.since(before.stats.dropped)
        second += "  dropped \(Self.short(UInt64(Double(drops.sum) / seconds)))pps"
        if !drops.isEmpty {
            second += ": " + drops.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3).map { "\($0.key) \(Self.short(UInt64(Double($0.value) / seconds)))" }.joined(separator: ", ")
        }
        // Beyond four, two stand on a line, and say less where that would be too long.
        let isPaired = now.cores.count > 4, isShort = isPaired && columns < 120
        let cores = now.cores.map { core in
            let lost = before.cores.first { $0.cpu == core.cpu }.map { core.stalls.since($0.stalls).count } ?? 0
            let cycles = core.framesPerSecond > 0 ? "\(Int(core.cyclesPerFrame)) cycles/frame" : "no frames"
            let busy = "CPU \(core.cpu) busy \(Int(core.busyPercent.rounded()))%", asleep = " asleep \(Int(core.asleepPercent.rounded()))%"
            let packets = " \(Self.short(core.framesPerSecond))pps", stalls = lost > 0 ? " stalls \(lost)" : ""
            if isShort { return busy + (lost > 0 ? stalls : asleep) + packets }
            return busy + asleep + packets + " \(cycles)" + stalls
        }
        let coreLines = !isPaired ? cores : stride(from: 0, to: min(cores.count, 8), by: 2).map { cores[$0..<min($0 + 2, cores.count)].joined(separator: "  ") }
        return [first, second] + coreLines + (cores.count > 8 ? ["and \(cores.count - 8) more CPUs: sluice core show"] : [])
    }

    // MARK: The list

    private struct Row {
        var name: String
        var cells: [String]
        var rate: UInt64
        /// Rate in percent of the floor.
        var floor: UInt64 = 0
        var borrowed: UInt64 = 0
        var waiting: UInt64 = 0
        var delay: UInt64 = 0
        var drops: UInt64
    }

    private func table(_ before: Sample, _ now: Sample, _ columns: Int) -> [String] {
        let (header, rows) = view == .ports ? ports(before, now) : classes(before, now)
        let shown = rows.filter { filter.isEmpty || $0.name.contains(filter) }.sorted(by: precedes)
        let empty = filter.isEmpty ? "no \(view.rawValue)" : "no \(view.rawValue) with '\(filter)' in their names"
        let widths = widths(header, shown, columns)
        return [Self.line(header, widths)] + (shown.isEmpty ? [empty] : shown.map { Self.line($0.cells, widths) })
    }

    private func precedes(_ one: Row, _ other: Row) -> Bool {
        func key(_ row: Row) -> UInt64 {
            switch order {
            case .rate: row.rate
            case .floor: row.floor
            case .borrowed: row.borrowed
            case .waiting: row.waiting
            case .delay: row.delay
            case .drops: row.drops
            case .name: 0
            }
        }
        return (key(other), one.name) < (key(one), other.name)
    }

    private func classes(_ before: Sample, _ now: Sample) -> ([String], [Row]) {
        let all = ClassChange.all(before, now)
        // What a guest's classes wait for is counted at the leaves.
        var holds: [String: [String: UInt64]] = [:], heldBy: [String: [String: UInt64]] = [:], tops: [String: Int] = [:]
        var waits: [String: UInt64] = [:]
        for item in all {
            guard let guest = item.now.guest else { continue }
            let key = "\(item.now.tree) \(guest)"
            holds[key, default: [:]].merge(item.holds, uniquingKeysWith: &+)
            heldBy[key, default: [:]].merge(item.heldBy, uniquingKeysWith: &+)
            waits[key, default: 0] &+= item.now.backlog.frames
        }
        var seen: Set<String> = []
        let listed = all.filter { item in
            guard view == .guests else { return item.now.parent != nil }
            // The topmost class of a guest comes before those below it.
            guard let guest = item.now.guest, seen.insert("\(item.now.tree) \(guest)").inserted else { return false }
            tops["\(item.now.direction) \(guest)", default: 0] += 1
            return true
        }
        // There is a column for delays if they are counted.
        let isTimed = now.classes.contains { $0.delay != nil }
        let rows = listed.map { item in
            let status = item.now, guest = status.guest ?? status.path, key = "\(status.tree) \(guest)"
            let isAmbiguous = view == .classes || tops["\(status.direction) \(guest)", default: 0] > 1
            let name = (view == .guests ? guest : status.path) + (isAmbiguous ? "@\(status.tree)" : "")
            let rate = layer.bits(item.rate)
            let why = view == .guests ? Self.why(holds[key] ?? [:], heldBy[key] ?? [:], item.drops, status.tree) : Self.why(item.holds, item.heldBy, item.drops, status.tree)
            let delay = item.delay, waiting = view == .guests ? waits[key, default: 0] : status.backlog.frames
            var cells = [
                name, status.direction == "inbound" ? "in" : "out", status.floor.map(Self.short) ?? "-", status.ceiling.map(Self.short) ?? "-", Self.short(rate),
                Self.short(item.borrowed), Self.short(waiting), Self.short(item.dropsPerSecond), why,
            ]
            if isTimed { cells.insert(delay.map { $0.frames == 0 ? "-" : Self.time($0.p99Nanoseconds) } ?? "-", at: 7) }
            let share = status.floor.map { $0 > 0 ? UInt64(Double(item.rate.bits) / Double($0) * 100) : 0 } ?? 0
            return Row(name: name, cells: cells, rate: rate, floor: share, borrowed: item.borrowed, waiting: waiting, delay: delay?.p99Nanoseconds ?? 0, drops: item.dropsPerSecond)
        }
        var header = [view == .guests ? "GUEST" : "CLASS", "DIR", "FLOOR", "CEILING", "RATE", "BORROW", "WAIT", "DROP/S", "HELD BY"]
        if isTimed { header.insert("P99", at: 7) }
        return (header, rows)
    }

    private func ports(_ before: Sample, _ now: Sample) -> ([String], [Row]) {
        let seconds = max(now.time - before.time, 0.001), old = Dictionary(before.ports.map { ($0.name, $0) }) { first, _ in first }
        let rows = now.ports.map { port in
            let earlier = old[port.name] ?? PortStatus()
            func rate(_ now: Traffic, _ before: Traffic) -> Rate {
                Rate(bits: UInt64(Double(now.bytes.since(before.bytes)) * 8 / seconds), packets: UInt64(Double(now.frames.since(before.frames)) / seconds))
            }
            let rx = rate(port.rx, earlier.rx), tx = rate(port.tx, earlier.tx), drops = port.drops.since(earlier.drops)
            let perSecond = UInt64(Double(drops.sum) / seconds)
            let cells = [
                port.name, port.state.rawValue, Self.short(layer.bits(rx)), Self.short(rx.packets), Self.short(layer.bits(tx)), Self.short(tx.packets), Self.short(perSecond),
                drops.highest?.key ?? port.reason ?? "",
            ]
            return Row(name: port.name, cells: cells, rate: layer.bits(rx) &+ layer.bits(tx), drops: perSecond)
        }
        return (["PORT", "STATE", "RX", "RX/S", "TX", "TX/S", "DROP/S", "WHY"], rows)
    }

    /// What held a class back most, in few letters; empty: nothing did.
    private static func why(_ holds: [String: UInt64], _ heldBy: [String: UInt64], _ drops: [String: UInt64], _ tree: String) -> String {
        guard let hold = holds.highest else { return drops.highest?.key ?? "" }
        switch hold.key {
        case "own_ceiling": return "its ceiling"
        case "packet_ceiling": return "its pps"
        case "ancestor_ceiling": return heldBy.highest?.key ?? tree
        case "nothing_to_lend": return "no loan"
        case "output_full": return "ring full"
        default: return hold.key
        }
    }

    // MARK: Text

    /// Columns in which numbers have room, so that they stay where they are from screen to screen. Widths below 0 are aligned to the left.
    private static let widths: [View: [Int]] = [
        .guests: [-16, -3, 6, 7, 6, 6, 5, 6, -1], .classes: [-16, -3, 6, 7, 6, 6, 5, 6, -1], .ports: [-16, -8, 6, 6, 6, 6, 6, -1],
    ]
    /// Columns for the last cell, which says why, however long names are: enough for "its ceiling" and for most of a port's sentence.
    private var reason: Int { view == .ports ? 19 : 11 }

    /// The columns' widths for these rows. Names get what the others leave.
    private func widths(_ header: [String], _ rows: [Row], _ columns: Int) -> [Int] {
        var widths = Self.widths[view] ?? []
        if header.count > widths.count {
            widths.insert(5, at: 7)
            widths[0] = -14
        }
        for place in widths.indices.dropFirst().dropLast() {
            let longest = rows.reduce(abs(widths[place])) { max($0, $1.cells[place].count) }
            widths[place] = widths[place] < 0 ? -longest : longest
        }
        let others = widths.dropFirst().dropLast().reduce(widths.count - 1) { $0 + abs($1) }
        let longest = rows.reduce(abs(widths[0])) { max($0, $1.cells[0].count) }
        widths[0] = -min(longest, max(columns - others - reason, 10))
        return widths
    }

    private static func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (place, (cell, width)) in zip(cells, widths).enumerated() {
            let text = place == 0 ? shortened(cell, to: abs(width)) : cell
            let space = String(repeating: " ", count: max(0, abs(width) - text.count))
            line += (place == 0 ? "" : " ") + (width < 0 ? text + space : space + text)
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// A name without its middle, if it is too long: classes of one group begin alike, and those of one protocol end alike.
    private static func shortened(_ name: String, to width: Int) -> String {
        if name.count <= width { return name }
        let end = width / 2
        return name.prefix(width - 1 - end) + "…" + name.suffix(end)
    }

    /// A time with two or three digits and its unit, as in `870ns`, `1.2ms` or `14s`.
    public static func time(_ nanoseconds: UInt64) -> String {
        let units: [(UInt64, String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        guard let (unit, name) = units.first(where: { nanoseconds >= $0.0 }) else { return "\(nanoseconds)ns" }
        let tenths = nanoseconds / (unit / 10)
        return tenths >= 100 || tenths % 10 == 0 ? "\(tenths / 10)\(name)" : "\(tenths / 10).\(tenths % 10)\(name)"
    }

    /// A number with three digits and the letter of its unit, as in `9.41g` or `64k`.
    static func short(_ value: UInt64) -> String {
        let units: [(UInt64, String)] = [(1_000_000_000_000, "t"), (1_000_000_000, "g"), (1_000_000, "m"), (1_000, "k")]
        guard let (unit, letter) = units.first(where: { value >= $0.0 }) else { return String(value) }
        let whole = value / unit, rest = value % unit
        // Decimals as far as there is room for three digits, without zeros at the end.
        var text = String(whole)
        if whole < 100 {
            let digits = whole < 10 ? 2 : 1, scale: UInt64 = whole < 10 ? 100 : 10
            var decimals = String(rest / (unit / scale))
            while decimals.count < digits { decimals = "0" + decimals }
            while decimals.last == "0" { decimals.removeLast() }
            if !decimals.isEmpty { text += "." + decimals }
        }
        return text + letter
    }
}
