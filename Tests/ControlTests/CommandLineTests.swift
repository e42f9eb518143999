import Configuration
import ControlAPI
import Foundation
import Testing

@Suite struct CommandLineTests {
    @Test func seeing() throws {
        let daemon = try CannedDaemon()
        func output(_ words: String...) throws -> [String] {
            let run = try sluice(words, socket: daemon.path)
            #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
            return run.output.split(separator: "\n").map(String.init)
        }
        // What TCP carries of 1 000 frames a second, of 9.4 Mbit/s.
        #expect(try output("port", "show", "--layer", "payload", "--sort", "rate")[1].contains("  8.872mbit  "))
        #expect(try output("port", "show", "--layer", "wire", "--count", "1")[1].contains("  9.592mbit  "))
        #expect(try output("guest", "show", "--sort", "name")[1].hasPrefix("host*"))
        #expect(try sluice("guest", "show", "--sort", "drops", socket: daemon.path).errors.contains("one of 'name' and 'rate'"))
        #expect(try !sluice("guest", "show", "--help").output.contains("values: name, rate, drops"))
        let screen = try output("top", "--once", "--interval", "100ms", "--view", "ports")
        #expect(screen[0] == "sluice up 1h2min  guests 5  ports 3/4 up  buffers 1%  l2" && screen.contains { $0.hasPrefix("vm1              up") }, "\(screen)")
        #expect(try sluice("top", socket: daemon.path).errors.contains("top needs a terminal: write sluice top --once for scripts"))
        #expect(try sluice("top", "--once", "--interval", "1ms", socket: daemon.path).errors.contains("--interval takes 100ms to 1h, not 1ms"))
        #expect(try !output("slow", "vm1", "--interval", "100ms").isEmpty)
        #expect(try sluice("explain", "from", "vm1", "to", "nobody", socket: daemon.path).errors == "'nobody' is no MAC address and no guest that has one: there is vm1\n")
    }

    @Test func tables() throws {
        let daemon = try CannedDaemon()
        func shows(_ verb: String..., text: String, line: SourceLocation = #_sourceLocation) throws {
            let run =
                verb.count == 1
                ? try sluice(verb[0], socket: daemon.path)
                : verb.count == 2
                    ? try sluice(verb[0], verb[1], socket: daemon.path) : try sluice(verb[0], verb[1], verb[2], socket: daemon.path)
            #expect(run == Run(status: 0, output: text + "\n", errors: ""), sourceLocation: line)
        }
        try shows(
            "port", "show",
            text: """
                PORT    TYPE      BRIDGE  STATE     MTU  QUEUES    RX     RATE  TX    RATE  DROPPED  DEVICE
                vm1     vhost     br0     up       1500  2/4     1000  9.4mbit  20  80kbit        4  /run/sluice/vm1.sock
                uplink  physical  br0     waiting  1500  0/1        0        -   0       -        0  eth1
                """)
        try shows(
            "port", "show", "vm1",
            text: """
                vm1: vhost bridge br0 state up mtu 1500 queues 2/4 driver vhost numa 0
                    device /run/sluice/vm1.sock mode client
                    guests vm1
                    rx 1000 frames 64000 bytes rate 9.4mbit 1kpps
                    tx 20 frames 1280 bytes full 5 rate 80kbit 20pps
                    paced 2ms punted 7
                    dropped runt 1 spoofed_source 3
                uplink: physical bridge br0 state waiting mtu 1500 queues 0/1 driver net_af_packet
                    device eth1
                    no link
                    rx 0 frames 0 bytes
                    tx 0 frames 0 bytes full 0
                """)
        try shows(
            "bridge",
            text: """
                br0: rate 10gbit ageing 300s fdb 12/65536
                    ports vm1 uplink
                    forwarded 1000 flooded 5 learned 12 moved 1
                    dropped reserved_address 2
                """)
        try shows(
            "group", "show",
            text: """
                tenant-a: bridge br0 parent none guests vm1 vm2
                    inbound floor 2gbit ceiling 4gbit sent 20 frames 1280 bytes
                    outbound floor 800mbit ceiling none sent 1000 frames 64000 bytes
                """)
        try shows(
            "guest", "show",
            text: """
                GUEST  PORT  BRIDGE  GROUP     INBOUND    RATE  OUTBOUND     RATE  CYCLES  PROTOCOLS  MACS
                vm1    vm1   br0     tenant-a       20  80kbit      1000  9.4mbit  310000  iscsi      52:54:00:00:00:01
                host*  host  br0     -               0       -         0        -       0  -          others
                """)
        try shows(
            "fdb", "show",
            text: """
                52:54:00:00:00:01 dev vm1 master br0 guest vm1 age 12s
                52:54:00:aa:00:01 dev host vlan 7 master br0 static
                """)
        try shows(
            "class", "show",
            text: """
                class uplink outbound 1:1 root
                 floor 1gbit ceiling 1gbit burst 1250000b ceiling-burst 1250000b priority 3 quantum 200000b
                 Sent 0 bytes 0 pkt (dropped 0, overlimits 0)
                 rate 0bit 0pps backlog 0b 0p
                 lended 0 borrowed 0 (0 bytes) tokens 0 ctokens 0
                class br0 inbound 1:1a parent 1:19 vm1/iscsi leaf
                 floor 200mbit ceiling none burst 256kib ceiling-burst 3044b ceiling-packets 100kpps priority 3 quantum 1600b limit 1000p \
                limit-bytes 64kib limit-delay 50ms (1250000b) queue codel target 5ms interval 100ms port vm1
                 Sent 15140 bytes 10 pkt (dropped 2, overlimits 9)
                 rate 198.8mbit 16.41kpps backlog 1514b 1p
                 lended 6 borrowed 4 (6056 bytes) tokens 12345 ctokens -6789
                 borrowed from vm1 4542b, br0 1514b
                 held ancestor_ceiling 5 nothing_to_lend 4
                 held by vm1 3, br0 2
                 dropped queue_limit 2
                """)
        try shows(
            "protocol",
            text: """
                PROTOCOL  PCP  FRAMES  BYTES  MATCH
                iscsi       4      10  15140  tcp 3260, tcp 860
                default     0       0      0  everything else
                """)
        try shows(
            "filter",
            text: """
                no-smtp: ports vm1 outbound, vm2 outbound
                    HITS  RULE   EXPRESSION
                       7  allow  dst net 10.0.0.0/8
                      32  deny   tcp dst port 25
                    1200  allow  everything else
                """)
        try shows(
            "mirror",
            text: """
                m1: guest vm1 both erspan remote 192.0.2.9 local 192.0.2.1 via uplink mac 52:54:00:00:00:99 source-mac 02:53:c0:00:02:01 session 7
                    filter "tcp port 80" truncate 128 rate 100mbit
                    copied 12 frames 1600 bytes
                    not copied queue_full 1 rate 3
                """)
        try shows(
            "core",
            text: """
                CPU  NUMA  POLLING    BUSY  ASLEEP   FRAMES/S  CYCLES/FRAME  TURNS  SLEEPS  QUEUES
                  1     0  adaptive  12.3%   80.0%  1.235mpps         187.3     99       7  vm1:0 uplink:0
                CPU 1 was woken by control 2 traffic 5
                CPU 1 looks every 0.5 ms while idle: no receive interrupts at uplink
                """)
        // The command asks twice, a second apart, and shows what was counted in between.
        try shows(
            "core", "show", "--stages",
            text: """
                CPU  FRAMES  POLL  ADMIT  CYCLES/FRAME
                  1     100  30.0    5.5          35.5
                """)
        try shows(
            "core", "show", "--stalls",
            text: """
                CPU 1 was lost 12 times, longest 3.1 ms, 0.02 % of the time (by the kernel's count others ran for 1.2 ms, the hypervisor took 10.0 ms)
                CPU     AGO      FOR
                  1  1.5 ms  25.0 us
                  1   4.0 s   3.1 ms
                """)
        try shows(
            "core", "balance",
            text: """
                vm1:0 (40.3% of a core) moved from CPU 1 to CPU 2
                vm2:0 vm2:1 (10.0% of a core) stays: its core holds frames that may not leave yet; it would have moved from CPU 1 to CPU 3
                """)
        try shows(
            "stats",
            text: """
                               FRAMES  BYTES
                received          100   6400
                copied             20   1280
                delivered         110   7040
                queued              3    192
                dropped             7
                  queue_limit       5
                  runt              2
                """)
        try shows(
            "status",
            text: """
                sluiced 1.2.3 pid 42 up 1h2min5s socket /run/sluice/control.sock
                config /etc/sluice/sluice.yaml changes 7
                bridges 1 ports 3/4 up guests 5 classes 12 cores 2
                buffers 1024/65536 in use hugepages on
                """)
        try shows("version", text: "sluiced 1.2.3, DPDK 22.11.11")
    }

    @Test func parts() throws {
        let daemon = try CannedDaemon()
        let table = """
            PART         STATE       PORTS      GUESTS   AGE
            libvirt-web  in use      web,web-2  web     75 s
            late         not in use  late       -        5 s  there is no bridge br9

            """
        #expect(try sluice("part", socket: daemon.path).output == table)
        #expect(try sluice("part", "show", "libvirt-web", socket: daemon.path).output == "ports: []  # web's\n")
        let folder = TemporaryFolder()
        try "ports: [{name: p, type: vhost, bridge: br0, socket: /p}]".write(toFile: folder("p.yaml"), atomically: true, encoding: .utf8)
        for words in [["part", "set", "mine", folder("p.yaml")], ["part", "set", "mine", folder("p.yaml"), "--dry-run"]] {
            #expect(try sluice(words, socket: daemon.path) == Run(status: 0, output: "+ port p of mine\n", errors: ""))
        }
        #expect(try sluice("part", "del", "mine", socket: daemon.path).output == "- part mine\n")
        #expect(try sluice("part", "set", "a b", folder("p.yaml"), socket: daemon.path).errors.contains("cannot name a part"))
    }

    @Test func theFileAndWhatRuns() throws {
        let daemon = try CannedDaemon()
        #expect(try sluice("config", "diff", socket: daemon.path) == Run(status: 0, output: "+ port host2 type tap bridge br0 interface host2\n", errors: ""))
        #expect(try sluice("config", "save", socket: daemon.path) == Run(status: 0, output: "nothing to save: the file says what runs\n", errors: ""))
        #expect(try sluice("config", "save", "--force", socket: daemon.path).output == "- bridge br1\n# saved in /etc/sluice/sluice.yaml\n")
        #expect(try sluice("diff", socket: daemon.path).output.contains("+ bridge in-file"))
    }

    @Test func theHistory() throws {
        let daemon = try CannedDaemon()
        let lines = try sluice("config", "history", socket: daemon.path).output.split(separator: "\n")
        #expect(lines.count == 3 && lines[0].hasPrefix("NUMBER  TIME") && lines[0].hasSuffix("CHANGES  HOW    WHO"))
        #expect(lines[1].hasPrefix("     9  ") && lines[1].hasSuffix("      4  start  -") && lines[2].hasSuffix("     12  apply  uid 0 pid 7 sluice"))
        #expect(try sluice("config", "history", "9", socket: daemon.path).output == "bridges: []  # 9\n")
        #expect(try sluice("config", "rollback", "9", "--confirm", "1500ms", socket: daemon.path).output == "~ to 9 within 2\n")
        #expect(try sluice("config", "rollback", "9", "--dry-run", socket: daemon.path).output == "~ to 9 within none\n")
        #expect(try sluice("confirm", socket: daemon.path).output == "confirmed\n" && sluice("confirm", "--undo", socket: daemon.path).output == "undone\n")
        for (words, sentence) in [("10", "time 10 has no unit"), ("10ms", "--confirm takes 1s to 24h, not 10ms"), ("48h", "--confirm takes 1s to 24h, not 48h")] {
            #expect(try sluice("config", "rollback", "9", "--confirm", words, socket: daemon.path).errors.contains(sentence))
        }
        #expect(try sluice("apply", "--dry-run", "-", "--confirm", "10s", socket: daemon.path).status == 64)
    }

    @Test func filters() throws {
        let daemon = try CannedDaemon()
        #expect(try sluice("fdb", "show", "port", "host", socket: daemon.path).output == "52:54:00:aa:00:01 dev host vlan 7 master br0 static\n")
        let outbound = try sluice("class", "show", "vm1", "dir", "outbound", socket: daemon.path).output
        #expect(outbound.hasPrefix("class uplink outbound 1:1 root"))
        #expect(!outbound.contains("inbound"))
        #expect(try sluice("fdb", "show", "prot", "host", socket: daemon.path).status == 64)
    }

    @Test func json() throws {
        let daemon = try CannedDaemon()
        let ports = try sluice("port", "show", "-j", socket: daemon.path)
        #expect(try JSONRPC.decoder().decode([PortStatus].self, from: Data(ports.output.utf8)) == Canned.ports)
        #expect(ports.output.contains("\"numa_node\""))
        let classes = try sluice("class", "show", "--json", socket: daemon.path)
        #expect(try JSONRPC.decoder().decode([ClassStatus].self, from: Data(classes.output.utf8)) == Canned.classes)
        // Options may stand before the verb, as in ip and tc.
        #expect(try sluice("-j", "-s", daemon.path, "class") == classes)
        let stats = try sluice("stats", "-j", socket: daemon.path)
        #expect(try JSONRPC.decoder().decode(StatsReply.self, from: Data(stats.output.utf8)) == Canned.stats)
    }

    @Test func changesOneByOne() throws {
        let daemon = try CannedDaemon()
        func ok(_ run: Run, _ text: String, line: SourceLocation = #_sourceLocation) {
            #expect(run == Run(status: 0, output: text + "\n", errors: ""), sourceLocation: line)
        }
        ok(
            try sluice("port", "add", "vm1", "type", "vhost", "bridge", "br0", "socket", "/run/sluice/vm1.sock", "queues", "4", socket: daemon.path),
            "+ port vm1 type vhost bridge br0 socket /run/sluice/vm1.sock queues 4")
        ok(
            try sluice("guest", "add", "vm1", "macs", "52:54:00:00:00:01", "inbound", "floor", "1gbit", socket: daemon.path),
            "+ guest vm1 port vm1 macs 52:54:00:00:00:01 inbound {floor 1gbit}")
        ok(
            try sluice("class", "set", "vm1/iscsi", "dir", "inbound", "floor", "200mbit", socket: daemon.path),
            "~ guest vm1 protocols default -> {iscsi {inbound {floor 200mbit}}}")
        ok(
            try sluice("filter", "add", "no-smtp", "allow", "dst net 10.0.0.0/8", "deny", "tcp dst port 25", socket: daemon.path),
            "+ filter no-smtp rules {allow dst net 10.0.0.0/8},{deny tcp dst port 25}")
        ok(try sluice("protocol", "add", "backup", "match", "tcp 873,dscp 10", "pcp", "1", socket: daemon.path), "+ protocol backup match tcp 873,dscp 10 pcp 1")
        ok(try sluice("fdb", "add", "52:54:00:aa:00:01", "port", "vm1", socket: daemon.path), "+ fdb 52:54:00:aa:00:01 port vm1 bridge br0")
        ok(try sluice("group", "add", "tenant-a", socket: daemon.path), "+ group tenant-a bridge br0")
        ok(try sluice("bridge", "set", "br0", "ageing", "60s", socket: daemon.path), "~ bridge br0 ageing default -> 60s")
        ok(try sluice("bridge", "set", "br0", "ageing", "60s", socket: daemon.path), "nothing to change")
        let refused = try sluice("port", "del", "vm1", socket: daemon.path)
        #expect(
            refused
                == Run(
                    status: 1, output: "",
                    errors: "the port vm1 is in use by guest vm1, fdb 52:54:00:aa:00:01: delete or change those first\n"))
        let yaml = try sluice("config", "show", socket: daemon.path).output
        #expect(yaml.contains("name: vm1"))
        ok(try sluice("diff", "-", socket: daemon.path, input: yaml), "nothing to change")
        let qemu = try sluice("port", "show", "vm1", "--qemu", socket: daemon.path).output
        #expect(qemu.contains("-chardev socket,id=chr-vm1,path=/run/sluice/vm1.sock,server=on,wait=off \\\n"))
        #expect(qemu.contains("<interface type='vhostuser'>"))
    }

    @Test func negativeValuesAreRefusedByTheirKey() throws {
        let daemon = try CannedDaemon()
        _ = try sluice("port", "add", "vm1", "type", "vhost", "bridge", "br0", "socket", "/run/sluice/vm1.sock", socket: daemon.path)
        _ = try sluice("guest", "add", "vm1", "macs", "52:54:00:00:00:01", socket: daemon.path)
        let limit = try sluice("class", "set", "vm1", "dir", "inbound", "limit", "-5", socket: daemon.path)
        #expect(limit.status == 1 && limit.errors.contains("limit: '-5' is not a whole number from 1"), "\(limit)")
        let floor = try sluice("class", "set", "vm1", "dir", "inbound", "floor", "-1gbit", "-j", socket: daemon.path)
        #expect(floor.status == 1 && floor.errors.contains("floor: '-1gbit' is not a rate: write a number and a unit"), "\(floor)")
        let option = try sluice("class", "set", "vm1", "dir", "inbound", "--floor", "1gbit", socket: daemon.path)
        #expect(option.status == 64 && option.errors.contains("Unknown option '--floor'"), "\(option)")
    }

    @Test func files() throws {
        let folder = TemporaryFolder()
        func write(_ name: String, _ text: String) throws -> String {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder(name)))
            return folder(name)
        }
        let good = try write("good.yaml", "bridges:\n  - {name: br0}\nports:\n  - {name: a, type: tap, bridge: br0, interface: a}\n")
        let more = try write("more.yaml", "bridges:\n  - {name: br0, rate: 1gbit}\nports:\n  - {name: a, type: tap, bridge: br0, interface: a}\n")
        let bad = try write("bad.yaml", "bridges:\n  - name: br0\n    rate: 500\n    colour: red\n")
        #expect(try sluice("check", good) == Run(status: 0, output: "\(good): good: 1 bridge, 1 port, 0 groups, 0 guests\n", errors: ""))
        let counts = try JSONDecoder().decode([String: JSONValue].self, from: Data(sluice("check", good, "-j").output.utf8))
        #expect(counts == ["bridges": .integer(1), "ports": .integer(1), "groups": .integer(0), "guests": .integer(0), "warnings": .array([])])
        let doubtful = try write(
            "doubtful.yaml",
            "bridges: [{name: br0}]\nports: [{name: a, type: vhost, bridge: br0, socket: /nonexistent/a.sock}]\n"
                + "guests: [{name: vm1, port: a, outbound: {floor: 1gbit}}]\n")
        #expect(
            try sluice("check", doubtful)
                == Run(
                    status: 0, output: "\(doubtful): good but for 2 warnings: 1 bridge, 1 port, 0 groups, 1 guest\n",
                    errors: "\(doubtful): warning: guests[0].outbound.floor: nothing guarantees the outbound floor of vm1: it holds where frames leave by a"
                        + " physical port, and bridge br0 has no such port: add one with a rate, or leave the floor out\n"
                        + "\(doubtful): warning: ports[0].socket: there is no folder /nonexistent on this host: make it before sluiced starts\n"))
        #expect(
            try sluice("check", bad)
                == Run(
                    status: 1, output: "",
                    errors: "\(bad):3: bridges[0].rate: rate 500 has no unit: write 500mbit\n\(bad):4: bridges[0].colour: a bridge has no key"
                        + " 'colour': the keys are name, ageing, fdb-size, rate, overhead, rest, mcast-snooping, mcast-querier, mcast-querier-address, mcast-max-groups, static\n"))
        for text in ["", "# nothing yet\n", "---\n", "~\n"] {
            let empty = try write("empty.yaml", text)
            #expect(
                try sluice("check", empty)
                    == Run(
                        status: 0, output: "\(empty): empty: it configures nothing, and where something runs `sluice apply` refuses it\n",
                        errors: ""))
            #expect(try sluice("check", empty, "-j").output.contains("\"this is empty: it configures nothing\""))
        }
        #expect(try sluice("check", "/dev/zero") == Run(status: 1, output: "", errors: "/dev/zero is larger than 32 MiB, which no configuration is: give another file\n"))
        #expect(try sluice("check", folder("none.yaml")).errors == "\(folder("none.yaml")) cannot be read: No such file or directory\n")
        #expect(try sluice("check", folder("")).errors == "\(folder("")) cannot be read: Is a directory\n")
        #expect(try sluice("diff", good, more) == Run(status: 0, output: "~ bridge br0 rate default -> 1gbit\n", errors: ""))
        #expect(try sluice("diff", good, good).output == "nothing to change\n")
        #expect(try sluice("check", "-", input: "bridges: 5").errors == "-:1: bridges: expected a list, found '5': write [{name: br0}]\n")

        let daemon = try CannedDaemon()
        #expect(try sluice("diff", good, socket: daemon.path).output == "~ bridge br0 rate 10gbit -> default\n+ port a type tap bridge br0 interface a\n")
        #expect(try sluice("apply", "--dry-run", good, socket: daemon.path).status == 0)
        #expect(try sluice("apply", bad, socket: daemon.path).status == 1)
        #expect(try sluice("apply", good, socket: daemon.path).output == "~ bridge br0 rate 10gbit -> default\n+ port a type tap bridge br0 interface a\n")
        #expect(try sluice("apply", good, socket: daemon.path).output == "nothing to change\n")
    }

    @Test func withoutADaemon() throws {
        let sentence = "no daemon answers on /nonexistent/control.sock: start it with `sluiced`, or name its socket with -s or SLUICE_SOCKET\n"
        #expect(try sluice("status") == Run(status: 1, output: "", errors: sentence))
        #expect(try sluice("port", "show", "-s", "/nonexistent/control.sock", socket: "/elsewhere").errors == sentence)
    }

    @Test func showingAgainAndAgain() throws {
        let daemon = try CannedDaemon()
        let once = try sluice("stats", "show", socket: daemon.path).output
        // From the second display on there are rates, which are 0 here because nothing changes.
        let again = """
                           FRAMES  BYTES  FRAMES/S  RATE
            received          100   6400      0pps  0bit
            copied             20   1280      0pps  0bit
            delivered         110   7040      0pps  0bit
            queued              3    192
            dropped             7             0pps
              queue_limit       5             0pps
              runt              2             0pps

            """
        #expect(try sluice("stats", "--count", "3", "--interval", "100ms", socket: daemon.path).output == [once, again, again].joined(separator: "\n"))
        #expect(try sluice("core", "show", "--watch", "--count", "1", socket: daemon.path) == sluice("core", socket: daemon.path))
        let refused = try sluice("stats", "--interval", "5", socket: daemon.path)
        #expect(refused.status == 64 && refused.errors.contains("--interval: time 5 has no unit"), "\(refused)")
        #expect(try sluice("stats", "--interval", "1ms", socket: daemon.path).errors.contains("--interval takes 100ms to 1h, not 1ms"))
        #expect(try sluice("stats", "--count", "0", socket: daemon.path).errors.contains("--count takes a number from 1"))
    }

    @Test(arguments: [
        (["port", "frobnicate", "one"], "port has no verb 'frobnicate'; there are show, add, set, reset, del"),
        (["fdb", "frobnicate"], "fdb has no verb 'frobnicate'; there are show, add, del"),
        (["class", "frobnicate", "one"], "class has no verb 'frobnicate'; there are show, set, del"),
        (["stats", "frobnicate", "one"], "stats has no verb 'frobnicate'; there are show"),
        (["frobnicate"], "there is no 'frobnicate'; there are port, bridge, group"),
    ])
    func unknownVerbsAreNamed(_ words: [String], _ sentence: String) throws {
        let run = try sluice(words)
        #expect(run.status == 64)
        #expect(run.errors.hasPrefix("sluice: \(sentence)"), "\(run.errors)")
    }

    @Test func nothingFromElsewhereCommandsTheTerminal() throws {
        let folder = TemporaryFolder()
        let bad = folder("bad.yaml")
        try "bridges: [{name: \"\\e]0;title\\a\\x9b31m\"}]".write(toFile: bad, atomically: true, encoding: .utf8)
        let run = try sluice("check", bad)
        #expect(run.status != 0 && run.errors.contains("'\\u{1b}]0;title\\u{7}\\u{9b}31m' is not a name"), "\(run.errors)")
        #expect(!run.errors.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || 0x7f...0x9f ~= $0.value })
    }

    @Test func membersOfGroupsAreShownAsBridgeDoes() throws {
        let daemon = try CannedDaemon()
        #expect(try sluice("mdb", "show", socket: daemon.path).output == """
            dev br0 port vm1 grp 239.1.1.1 temp 260s
            dev br0 port vm2 grp ff05::1 vid 10 temp 0s filter_mode include source_list 2001:db8::1
            router on br0 port uplink ipv4 temp 200s
            querier on br0 ipv4 itself, 10.0.0.254 port uplink 250s
            querier on br0 vid 10 ipv6 none: groups go to every port for now

            """)
    }

    @Test func addressesOfFibreChannelAreShown() throws {
        let daemon = try CannedDaemon()
        #expect(try sluice("dcb", "fip", "show", socket: daemon.path).output == """
            0e:fc:00:01:02:03 dev vm1 vlan 10 master br0 guest vm1 node 52:54:00:00:00:01 fcf 02:00:00:00:00:fc age 12s ends 212s
            0e:fd:00:00:47:11 dev uplink master br0 node 52:54:00:00:00:09 vn2vn age 0s ends 20s

            """)
        #expect(try sluice("dcb", "fip", "show", "port", "vm9", socket: daemon.path).output.hasPrefix("no node has an address: sluice port set"))
        #expect(try sluice("dcb", "fip", "-j", socket: daemon.path).output.contains("\"time_left\""))
    }

    @Test func neighboursAndWhatIsNegotiatedAreShown() throws {
        let daemon = try CannedDaemon()
        #expect(try sluice("lldp", "show", socket: daemon.path).output == """
            uplink: lldp on, link up
              neighbor 3: leaf1 port swp1
                chassis mac 02:00:00:00:00:01, port ifname swp1
                port description: to host9
                system: NOS 1.2
                management: 192.0.2.7
                capabilities: Bridge on, Router off
                tlv oui 00,12,0F subtype 4: 05,DC
                heard for 75s, valid for 110s of 120s
              there are more neighbors than are kept
              frames: 5 out, 7 in, 0 discarded, 0 wrong
              TLVs: 0 discarded, 7 unrecognized; frames too long for all TLVs: 1
              neighbors: 3 came, 2 went, 1 of them aged out

            """)
        let json = try sluice("lldp", "show", "uplink", "-j", socket: daemon.path).output
        for part in ["\"mgmt-ip\"", "\"unknown-tlvs\"", "\"descr\"", "\"capability\"", "\"time_left\""] { #expect(json.contains(part), "\(json)") }
        let sharing = "tc-tsa ets,ets,strict,strict,strict,strict,strict,strict tc-bw 60,40,0,0,0,0,0,0 prio-tc 0,0,0,1,2,0,0,0"
        #expect(try sluice("dcb", "show", socket: daemon.path).output == """
            uplink: peer 02:00:00:00:00:01
              1 TLVs of the peer are wrong and not used
              ets wanted: willing on \(sharing)
              ets in use (sw): willing on \(sharing)
              ets recommended by the peer: \(sharing)
              pfc wanted: willing on prio-pfc 3 of 8 at once
              pfc in use (sw): willing on prio-pfc 3 of 8 at once
              app: willing on
              app wanted: ethtype-prio 0x8906:3 default-prio 1
              app in use: ethtype-prio 0x8906:3 default-prio 1
              priorities: fcoe 3, default 1

            """)
    }

    /// No word for the place may be ignored, because more addresses than intended would then be forgotten.
    @Test func addressesAreForgottenByAnyWordForTheirPlace() throws {
        let daemon = try CannedDaemon()
        for words in [["port", "vm1"], ["dev", "vm1"], ["bridge", "br0"], ["master", "br0"]] {
            #expect(try sluice(["fdb", "flush"] + words, socket: daemon.path).output == "2 learned addresses forgotten\n", "\(words)")
            #expect(daemon.flushed.last == words[1])
        }
    }

    @Test func whatNeedsNoVerbNeedsNone() throws {
        let daemon = try CannedDaemon()
        for words in [["port", "vm1"], ["class", "vm1", "dir", "outbound"], ["class", "vm1"], ["class", "dir", "inbound"], ["fdb", "port", "host"], ["core"]] {
            #expect(try sluice(words, socket: daemon.path).status == 0, "\(words)")
        }
    }

    @Test func usage() throws {
        let sideways = try sluice("class", "show", "dir", "sideways")
        #expect(sideways.status == 64 && sideways.errors.contains("dir is inbound (towards the guest) or outbound (from it), not 'sideways'"))
        #expect(try sluice("fdb", "show", "vm1").errors.contains("'vm1' is no key: write bridge NAME or port NAME"))
        for words in [["fdb", "show", "port", "a", "dev", "b"], ["class", "show", "dev", "a", "tree", "b"], ["class", "show", "dir", "inbound", "dir", "outbound"], ["fdb", "flush", "port", "a", "port", "b"]] {
            let twice = try sluice(words)
            #expect(twice.status == 64 && twice.errors.contains("stands twice"), "\(words): \(twice)")
        }
        #expect(try sluice("diff", "/a", "/b", "-s", "/c").errors.contains("two files are compared without a daemon: leave out --socket and --timeout, or the second file"))
        #expect(try sluice("-s", "status").errors.hasPrefix("sluice: -s takes the path of the daemon's socket"))
        #expect(try sluice("--version") == Run(status: 0, output: "\(sluiceVersion)\n", errors: ""))
        #expect(try sluice("port", "show", "--qemu").status == 64)
        #expect(try sluice("nonsense").status == 64)
        #expect(try sluice("apply").status == 64)
        let help = try sluice("--help")
        #expect(help.status == 0)
        for verb in ["port", "bridge", "group", "guest", "fdb", "class", "protocol", "filter", "mirror", "part", "libvirt", "core", "stats", "config", "apply", "diff", "check", "schema", "status", "version"] {
            #expect(help.output.contains("\n  \(verb)"))
        }
    }

    @Test func helpTellsKeys() throws {
        for object in EditObject.allCases {
            guard let keys = object.keys else { continue }
            for verb in ["add", "set"] where Verb("\(object.rawValue).\(verb)") != nil {
                // The help of keys is shown as it is, without being wrapped again.
                #expect(try sluice(object.rawValue, verb, "--help").output.contains(keys), "\(object) \(verb)")
            }
        }
    }

    @Test func aSchemaNeedsNoDaemon() throws {
        let run = try sluice("schema")
        #expect(run.status == 0 && run.errors.isEmpty)
        #expect(try JSONRPC.decoder().decode(JSONValue.self, from: Data(run.output.utf8)) == JSONValue(Model.schema))
    }

    /// A daemon that accepts requests and never answers.
    @Test func theTimeToWaitIsLimited() throws {
        let folder = TemporaryFolder()
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: folder("s").utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0 && listen(descriptor, 4) == 0)
        let sentence = "the daemon on \(folder("s")) did not answer within 0.2 s; what was asked may still be done (--timeout takes longer)\n"
        for words in [["status", "--timeout", "200ms"], ["--timeout", "200ms", "port", "set", "a", "mtu", "9000"]] {
            let run = try sluice(words, socket: folder("s"))
            #expect(run == Run(status: 1, output: "", errors: sentence))
        }
        #expect(try sluice("status", "--timeout", "5", socket: folder("s")).errors.contains("--timeout: time 5 has no unit: write 5s"))
        #expect(try sluice("status", "--timeout", "2h", socket: folder("s")).errors.contains("--timeout takes 100ms to 1h, not 2h"))
    }

    /// A change says what does not work since then; what did not work before it is not told again.
    @Test func warningsOfChanges() throws {
        let daemon = try CannedDaemon()
        func run(_ words: String, input: String? = nil) throws -> Run { try sluice(words.split(separator: " ").map(String.init), socket: daemon.path, input: input) }
        func sentence(_ name: String) -> String {
            "nothing guarantees the outbound floor of \(name): it holds where frames leave by a physical port, and bridge br0 has no such port: add one with a rate, or leave the floor out"
        }
        _ = try run("port add vm1 type vhost socket /run/sluice/vm1.sock")
        let added = try run("guest add vm1 outbound floor 1gbit")
        #expect(added == Run(status: 0, output: "+ guest vm1 port vm1 outbound {floor 1gbit}\n", errors: "warning: \(sentence("vm1"))\n"))
        #expect(try run("guest set vm1 outbound floor 2gbit").errors == "")
        let json = try run("group add g outbound floor 10mbit -j")
        let reply = try JSONRPC.decoder().decode(ChangeReply.self, from: Data(json.output.utf8))
        #expect(json.status == 0 && json.errors.isEmpty && reply.warnings == [sentence("g")])
        let yaml = try run("config show").output
        #expect(try run("diff -", input: yaml) == Run(status: 0, output: "nothing to change\n", errors: ""))
        let more = yaml.replacing("- name: vm1\n  port", with: "- {name: vm2, port: vm1, macs: ['52:54:00:00:00:02'], outbound: {floor: 1mbit}}\n- name: vm1\n  port")
        for words in ["diff -", "apply --dry-run -", "apply -"] { #expect(try run(words, input: more).errors == "warning: \(sentence("vm2"))\n", "\(words)\n\(more)") }
    }

    /// What a file names and this host does not have.
    @Test func filesAndThisHost() throws {
        let yaml = "daemon: {cpus: [1023]}\nbridges: [{name: br0}]\nports: [{name: up, type: physical, bridge: br0, device: nosuch7}]\n"
        let run = try sluice("check", "-", input: yaml)
        #expect(run.status == 0 && run.output == "-: good but for 2 warnings: 1 bridge, 1 port, 0 groups, 0 guests\n")
        #expect(run.errors.contains("-: warning: daemon.cpus: this host has no CPU 1023, but 0"))
        #expect(run.errors.contains("-: warning: ports[0].device: this host has no interface nosuch7: port up would stay failed, unless the file is for another host\n"))
    }
}
