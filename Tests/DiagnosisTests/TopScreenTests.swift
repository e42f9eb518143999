import ControlAPI
import Diagnosis
import Testing

/// What `sluice top` shows.
@Suite struct TopScreenTests {
    private func item(_ tree: String, _ direction: String, _ path: String, guest: String?, _ change: (inout ClassStatus) -> Void = { _ in }) -> ClassStatus {
        var item = ClassStatus()
        (item.tree, item.direction, item.path, item.guest, item.leaf, item.parent) = (tree, direction, path, guest, true, 1)
        change(&item)
        return item
    }

    private func samples() -> (Sample, Sample) {
        var before = Sample(time: 5), now = Sample(time: 7)
        (now.status.uptimeSeconds, now.status.guests, now.status.ports, now.status.portsUp) = (3 * 3_600 + 720, 2, 3, 2)
        (now.status.buffers, now.status.buffersInUse) = (1_000, 120)
        (now.stats.delivered, now.stats.queued.frames) = (Traffic(frames: 2_400_000, bytes: 2_352_500_000), 123)
        now.stats.dropped = ["queue_limit": 20, "no_buffer": 4]
        var core = CoreStatus()
        (core.cpu, core.busyPercent, core.asleepPercent, core.framesPerSecond, core.cyclesPerFrame) = (2, 63.4, 30, 1_200_000, 512)
        now.cores = [core]
        var root = ClassStatus()
        (root.tree, root.direction) = ("uplink", "outbound")
        before.classes = [root, item("uplink", "outbound", "vm1", guest: "vm1"), item("uplink", "outbound", "vm2", guest: "vm2"), item("br0", "inbound", "vm1", guest: "vm1")]
        now.classes = [
            root,
            item("uplink", "outbound", "vm1", guest: "vm1") {
                ($0.floor, $0.ceiling, $0.sent, $0.borrowedBytes, $0.backlog.frames) = (1_000_000_000, 5_000_000_000, Traffic(frames: 200_000, bytes: 300_000_000), 50_000_000, 90)
                ($0.holds, $0.heldBy) = (["ancestor_ceiling": 9], [.init(id: 1, class: "uplink", waits: 9)])
            },
            item("uplink", "outbound", "vm2", guest: "vm2") { ($0.floor, $0.sent, $0.drops) = (8_000_000, Traffic(frames: 4_000, bytes: 4_000_000), ["queue_limit": 20]) },
            item("br0", "inbound", "vm1", guest: "vm1") { $0.sent = Traffic(frames: 20, bytes: 1_200) },
        ]
        var port = PortStatus(), waiting = PortStatus()
        (port.name, port.state, port.rx, port.drops) = ("vm1", .up, Traffic(frames: 2_000, bytes: 3_000_000), ["queue_limit": 20])
        (waiting.name, waiting.state, waiting.reason) = ("vm2", .waiting, "waiting for the guest")
        now.ports = [waiting, port]
        return (before, now)
    }

    @Test func guests() {
        let (before, now) = samples()
        #expect(TopScreen().lines(before, now) == [
            "sluice up 3h12min  guests 2  ports 2/3 up  buffers 12%  l2",
            "delivered 9.41gbit 1.2mpps  queued 123  dropped 12pps: queue_limit 10, no_buffe…",
            "CPU 2 busy 63% asleep 30% 1.2mpps 512 cycles/frame",
            "",
            "GUEST            DIR  FLOOR CEILING   RATE BORROW  WAIT DROP/S HELD BY",
            "vm1              out     1g      5g   1.2g   200m    90      0 uplink",
            "vm2              out     8m       -    16m      0     0     10 queue_limit",
            "vm1              in       -       -   4.8k      0     0      0",
        ])
    }

    /// Where delays are counted, there is a column for what 99 of 100 frames have waited at most since the sample before.
    @Test func delays() {
        var (before, now) = samples()
        for index in before.classes.indices { before.classes[index].delay = DelayStatus(passed: 0, buckets: [[9_000_000_000, 5]]) }
        for index in now.classes.indices { now.classes[index].delay = DelayStatus(passed: 0, buckets: [[9_000_000_000, 5]]) }
        now.classes[1].delay = DelayStatus(passed: 50, buckets: [[870, 10], [1_250_000, 39], [24_600_000, 1], [9_000_000_000, 5]])
        now.classes[2].delay = DelayStatus(passed: 10, buckets: [[9_000_000_000, 5]])
        var screen = TopScreen()
        screen.order = .delay
        #expect(screen.lines(before, now).dropFirst(4) == [
            "GUEST          DIR  FLOOR CEILING   RATE BORROW  WAIT   P99 DROP/S HELD BY",
            "vm1            out     1g      5g   1.2g   200m    90 1.2ms      0 uplink",
            "vm1            in       -       -   4.8k      0     0     -      0",
            "vm2            out     8m       -    16m      0     0   0ns     10 queue_limit",
        ])
        #expect([0, 870, 1_000, 12_345, 1_250_000, 99_900_000, 14_000_000_000].map(TopScreen.time) == ["0ns", "870ns", "1us", "12us", "1.2ms", "99ms", "14s"])
    }

    @Test func orderFilterAndScrolling() {
        let (before, now) = samples()
        func names(_ change: (inout TopScreen) -> Void, rows: Int? = nil) -> [String] {
            var screen = TopScreen()
            change(&screen)
            return screen.lines(before, now, rows: rows).dropFirst(5).map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
        }
        #expect(names { $0.order = .drops } == ["vm2 out", "vm1 out", "vm1 in"])
        #expect(names { $0.order = .floor } == ["vm2 out", "vm1 out", "vm1 in"])
        #expect(names { $0.filter = "vm2" } == ["vm2 out"])
        #expect(names { $0.filter = "vm3" } == ["no guests"])
        #expect(names({ $0.first = 1 }, rows: 6) == ["vm2 out"])
        #expect(names({ $0.first = 99 }, rows: 24) == ["vm1 in"])
        #expect(names { $0.view = .classes } == ["vm1@uplink out", "vm2@uplink out", "vm1@br0 in"])
    }

    @Test func portsAndLayers() {
        let (before, now) = samples()
        var screen = TopScreen()
        (screen.view, screen.layer) = (.ports, .wire)
        #expect(screen.lines(before, now, columns: 100).dropFirst(4) == [
            "PORT             STATE        RX   RX/S     TX   TX/S DROP/S WHY",
            "vm1              up        12.1m     1k      0      0     10 queue_limit",
            "vm2              waiting       0      0      0      0      0 waiting for the guest",
        ])
        screen.layer = .payload
        #expect(screen.lines(before, now)[5].contains("11.4m"))
    }

    @Test func everyLineFitsAndManyCoresDoToo() {
        var (before, now) = samples()
        now.cores = (0..<64).map { cpu in
            var core = CoreStatus()
            core.cpu = cpu
            return core
        }
        before.classes = []
        now.classes = (0..<500).map { item("uplink", "outbound", "a-name-that-is-as-long-as-it-may", guest: "guest-\($0)-with-a-very-long-name") }
        for columns in [20, 80, 200] { #expect(TopScreen().lines(before, now, columns: columns, rows: 24).allSatisfy { $0.count <= columns }) }
        #expect(TopScreen().lines(before, now, rows: 24).count == 24)
    }

    /// Names take no room from the figures: what is too much of them is left out in their middle, and all of them stands where lines may be long.
    @Test func longNamesMoveNoColumn() {
        var (before, now) = samples()
        before.classes = []
        now.classes = [
            item("uplink", "outbound", "tenant-of-the-north/web-server-17/iscsi", guest: "web-server-17") { $0.holds = ["own_ceiling": 3] },
            item("uplink", "outbound", "tenant-of-the-north/web-server-17/nfs", guest: "web-server-17"),
        ]
        var screen = TopScreen()
        (screen.view, screen.order) = (.classes, .name)
        #expect(screen.lines(before, now).dropFirst(4) == [
            "CLASS                  DIR  FLOOR CEILING   RATE BORROW  WAIT DROP/S HELD BY",
            "tenant-of-…scsi@uplink out      -       -      0      0     0      0 its ceiling",
            "tenant-of-…/nfs@uplink out      -       -      0      0     0      0",
        ])
        for index in now.classes.indices { now.classes[index].delay = DelayStatus(passed: 3, buckets: [[99_900_000, 500]]) }
        let lines = screen.lines(before, now)
        #expect(lines[4].hasSuffix(" WAIT   P99 DROP/S HELD BY") && lines[5].hasSuffix("     0  99ms      0 its ceiling"), "\(lines)")
        #expect(lines.allSatisfy { $0.count <= 80 })
        let names = ["tenant-of-the-north/web-server-17/iscsi@uplink", "tenant-of-the-north/web-server-17/nfs@uplink"]
        #expect(screen.lines(before, now, columns: .max).dropFirst(5).map { String($0.prefix { $0 != " " }) } == names)
    }

    @Test func manyCoresFitIntoEightyColumns() {
        var (before, now) = samples()
        now.cores = (10..<18).map { cpu in
            var core = now.cores[0]
            (core.cpu, core.busyPercent, core.asleepPercent, core.framesPerSecond, core.stalls.count) = (cpu, 100, 100, 12_300_000, cpu == 11 ? 40 : 0)
            return core
        }
        before.cores = now.cores
        before.cores[1].stalls.count = 1
        let lines = TopScreen().lines(before, now)
        #expect(lines[2] == "CPU 10 busy 100% asleep 100% 12.3mpps  CPU 11 busy 100% stalls 39 12.3mpps")
        #expect(TopScreen().lines(before, now, columns: 160)[2].contains("12.3mpps 512 cycles/frame stalls 39"))
    }
}
