import ArgumentParser
import Configuration
import ControlAPI
import Diagnosis
import Foundation

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Guests, classes or ports live: rates, floors, what is borrowed, what waits and why, drops; and the poll loops.",
        discussion: """
            Keys: g guests, c classes, p ports; r f b w t d n order by rate, share of the floor, borrowed, waiting, delay, drops, name; / filter; l layer; arrows and page keys \
            scroll; q ends. HELD BY names what held the class back most: its ceiling, a class above, or its ring.
            """)
    @OptionGroup var connecting: Connecting
    @Flag(help: "Print one screen and end, for scripts.") var once = false
    @Option(help: "Time between two screens, 100ms to 1h (default: 1s).") var interval: String?
    @Option(help: "guests, classes or ports.") var view = TopScreen.View.guests
    @Option(help: "rate, floor, borrowed, waiting, delay, drops or name.") var sort = TopScreen.Order.rate
    @Option(help: "Show only what has this in its name.") var filter = ""
    @Option(help: "What rates count: payload (TCP over IPv4), l2 (frames) or wire.") var layer = Layer.l2

    func validate() throws { _ = try seconds() }

    private func seconds() throws -> Double {
        guard let interval else { return 1 }
        let time: UInt64
        do { time = try Quantity.time.parse(interval) } catch { throw ValidationError("--interval: \(error.description)") }
        guard 100...3_600_000 ~= time else { throw ValidationError("--interval takes 100ms to 1h, not \(interval)") }
        return Double(time) / 1_000
    }

    func run() throws {
        var screen = TopScreen()
        (screen.view, screen.order, screen.filter, screen.layer) = (view, sort, filter, layer)
        let pause = try seconds()
        try reporting {
            if connecting.json { throw Failure("top has no JSON: class show, port show, core show and stats show have what it shows") }
            let client = connecting.client
            let first = try client.sample()
            if once {
                Thread.sleep(forTimeInterval: pause)
                let now = try client.sample()
                return Output.print(screen.lines(first, now, columns: .max).joined(separator: "\n"))
            }
            guard let terminal = Terminal() else { throw Failure("top needs a terminal: write sluice top --once for scripts") }
            var session = TopSession(screen: screen, before: first, now: first)
            try session.run(terminal, pause) { try client.sample() }
        }
    }
}

extension TopScreen.View: ExpressibleByArgument {}
extension TopScreen.Order: ExpressibleByArgument {}
extension Layer: ExpressibleByArgument {}

/// What is on the terminal, and what keys do to it.
private struct TopSession {
    var screen: TopScreen
    var before: Sample
    var now: Sample
    /// Whether keys are letters of the filter.
    private var isTyping = false

    init(screen: TopScreen, before: Sample, now: Sample) { (self.screen, self.before, self.now) = (screen, before, now) }

    mutating func run(_ terminal: Terminal, _ pause: Double, _ sample: () throws -> Sample) throws {
        var next = ContinuousClock.now + .seconds(min(pause, 0.3))
        while true {
            let size = terminal.size
            terminal.show(screen.lines(before, now, columns: size.columns, rows: size.rows - 1) + [TopScreen.cut(foot, to: size.columns)])
            let key = terminal.key(within: (next - .now) / .seconds(1))
            if let key, !take(key, rows: size.rows) { return }
            guard ContinuousClock.now >= next else { continue }
            (before, now) = (now, try sample())
            next = .now + .seconds(pause)
        }
    }

    private var foot: String {
        if isTyping { return "filter: \(screen.filter)_  (Enter: done, Esc: none)" }
        let filter = screen.filter.isEmpty ? "" : "  filter '\(screen.filter)'"
        return "[\(screen.view.rawValue) by \(screen.order.rawValue)\(filter)]  q quit  g c p  sort rfbwtdn  / filter  l layer"
    }

    /// - Returns: false: the key ends it.
    private mutating func take(_ key: Terminal.Key, rows: Int) -> Bool {
        if key == .interrupt { return false }
        if isTyping { type(key); return true }
        switch key {
        case .character("q"): return false
        case .character("g"): screen.view = .guests
        case .character("c"): screen.view = .classes
        case .character("p"): screen.view = .ports
        case .character("r"): screen.order = .rate
        case .character("f"): screen.order = .floor
        case .character("b"): screen.order = .borrowed
        case .character("w"): screen.order = .waiting
        case .character("t"): screen.order = .delay
        case .character("d"): screen.order = .drops
        case .character("n"): screen.order = .name
        case .character("/"): (isTyping, screen.filter) = (true, "")
        case .character("l"):
            let all = Layer.allCases
            screen.layer = all[((all.firstIndex(of: screen.layer) ?? 0) + 1) % all.count]
        case .up: screen.first = max(0, screen.first - 1)
        case .down: screen.first += 1
        case .pageUp: screen.first = max(0, screen.first - rows / 2)
        case .pageDown: screen.first += rows / 2
        case .escape: (screen.filter, screen.first) = ("", 0)
        default: break
        }
        if case .character = key { screen.first = 0 }
        screen.first = min(screen.first, max(now.classes.count, now.ports.count))
        return true
    }

    private mutating func type(_ key: Terminal.Key) {
        switch key {
        case .enter: isTyping = false
        case .escape: (isTyping, screen.filter) = (false, "")
        case .backspace: if !screen.filter.isEmpty { screen.filter.removeLast() }
        case .character(let character): screen.filter.append(character)
        default: break
        }
    }
}

extension Client {
    /// All that a screen and a diagnosis need.
    func sample() throws -> Sample {
        var sample = Sample(time: Double(DispatchTime.now().uptimeNanoseconds) / 1e9)
        (sample.status, sample.stats) = (try call(Methods.status, NoParams()), try call(Methods.statsShow, NoParams()))
        (sample.ports, sample.guests) = (try call(Methods.portShow, NameParams()), try call(Methods.guestShow, NameParams()))
        (sample.classes, sample.cores) = (try call(Methods.classShow, ClassParams()), try call(Methods.coreShow, CoreParams()))
        return sample
    }
}
