import Testing

@Suite struct DCBCommandTests {
    private func daemon() throws -> CannedDaemon {
        let daemon = try CannedDaemon()
        #expect(try sluice(["port", "add", "up", "type", "physical", "bridge", "br0", "device", "eth1"], socket: daemon.path).status == 0)
        return daemon
    }

    private func output(_ words: String, _ daemon: CannedDaemon) throws -> String {
        let run = try sluice(words.split(separator: " ").map(String.init), socket: daemon.path)
        #expect(run.status == 0 && run.errors.isEmpty, "\(words): \(run)")
        return run.output
    }

    @Test("what one types for dcb(8) works, with dev or port in front of or behind the keys")
    func words() throws {
        let daemon = try daemon()
        for (words, changed) in [
            ("dcb ets set dev up willing on tc-tsa 0:ets 1:ets tc-bw 0:70 1:30 prio-tc all:0 4:1", "ets: {willing: true, tc-tsa: [ets, ets"),
            ("dcb ets set dev up tc-bw all:0 0:50 1:50", "tc-bw: [50, 50"), ("dcb pfc set prio-pfc all:off 3:on 4:on port up", "prio-pfc: [3, 4]"),
            ("dcb buffer set dev up prio-buffer all:0 3:1 buffer-size 1:512kib", "buffer-size"),
            ("dcb app set dev up stream-port-prio 860:4", "860:4"),
        ] {
            let text = try output(words, daemon)
            #expect(text.contains("up"), "\(text)")
            #expect(try output("config show", daemon).contains(changed), "\(words): \(text)")
        }
        #expect(try output("dcb ets show dev uplink", daemon) == output("dcb ets show port uplink", daemon))
        #expect(try output("dcb ets show uplink", daemon) == output("dcb ets", daemon))
        let pfc = try output("dcb pfc show dev uplink", daemon), app = try output("dcb app show", daemon)
        #expect(pfc.contains("pfc in use") && !pfc.contains("ets ") && app.contains("app in use") && app.contains("priorities:") && !app.contains("pfc"))
        #expect(try output("dcb show dev uplink -j", daemon).contains("\"tc_bw\""))
    }

    @Test("who negotiates: this switch as the standard has it, or nobody")
    func dcbx() throws {
        let daemon = try daemon()
        #expect(try output("dcb dcbx show dev uplink", daemon) == "uplink: host ieee\n" && output("dcb dcbx", daemon) == "uplink: host ieee\n")
        let json = try output("dcb dcbx show -j", daemon)
        for part in ["\"host\" : true", "\"lld_managed\" : false", "\"cee\" : false", "\"ieee\" : true", "\"static\" : false", "\"lldp\" : \"on\""] {
            #expect(json.contains(part), "\(json)")
        }
        _ = try output("dcb dcbx set dev up host ieee", daemon)
        #expect(try output("config show", daemon).filter { $0 != "\"" }.contains("lldp: on"))
        _ = try output("dcb dcbx set host ieee static port up", daemon)
        #expect(try output("config show", daemon).filter { $0 != "\"" }.contains("lldp: off"))
    }

    @Test("entries of protocols are added, replaced and deleted one by one, and the others stay")
    func applications() throws {
        let daemon = try daemon()
        func app(_ words: String) throws -> String {
            _ = try output("dcb app \(words) dev up", daemon)
            let all = try output("config show", daemon).split(separator: "\n").filter { $0.contains("app:") || $0.contains("-prio") }
            return all.joined(separator: " ")
        }
        // The canned status wants 0x8906:3 and default-prio 1.
        let added = try app("add stream-port-prio 3260:4 dscp-prio 26:3,46:6")
        for part in ["0x8906:3", "3260:4", "26:3", "46:6", "default-prio: 1"] { #expect(added.contains(part), "\(added)") }
        #expect(try app("replace ethtype-prio 0x8906:5").contains("0x8906:5") && app("replace ethtype-prio 0x8914:3").contains("0x8906:3"))
        let deleted = try app("del ethtype-prio 0x8906:3 default-prio 1")
        #expect(!deleted.contains("0x8906") && !deleted.contains("default-prio"), "\(deleted)")
        #expect(try app("add default-prio 1").contains("0x8906:3") && !app("flush ethtype-prio").contains("0x8906"))
        #expect(try !app("flush").contains("default-prio"))
    }

    @Test(
        "what is not so here is refused with a sentence that says what to write",
        arguments: [
            ("dcb dcbx set dev up lld-managed ieee", "Write host ieee"), ("dcb dcbx set dev up host cee", "before the standard"),
            ("dcb dcbx set dev up", "write host ieee"), ("dcb dcbx set host ieee", "which port? write sluice dcb dcbx set host ieee port uplink"),
            ("dcb dcbx set host iee dev up", "no word 'iee'"), ("dcb dcbx set host ieee dev", "'dev' needs the name"),
            ("dcb ets set dev up pg-bw 0:50", "Write tc-bw"), ("dcb ets set dev up tc-b 0:50", "its keys are willing"),
            ("dcb pfc set dev up delay 100", "buffer-size"), ("dcb pfc set dev up macsec-bypass on", "no link is encrypted"),
            ("dcb buffer set dev up total-size 1mib", "daemon: {buffers"), ("dcb app set dev up pcp-prio 1:1", "trust pcp"),
            ("dcb app add dev up ethtype-prio 0x8906:4", "Write sluice dcb app replace"), ("dcb app del dev up ethtype-prio 0x8906:4", "no such entry"),
            ("dcb app add dev up stream-port-prio 3260", "write stream-port-prio 3260:4"), ("dcb app flush dev up prio", "no key 'prio'"),
            ("dcb app add stream-port-prio 3260:4", "which port? write sluice dcb app add ... port uplink"), ("dcb app flush", "write sluice dcb app flush port uplink"),
            ("dcb ets show dev uplink tc-bw", "Write show port uplink"), ("dcb ets show dev", "'dev' needs the name"),
            ("dcb maxrate show", "sluice guest set vm1 outbound ceiling"), ("dcb apptrust set dev up order dscp", "sluice port set PORT trust dscp"),
            ("dcb rewr show", "sluice dcb app set"),
        ])
    func refusals(_ words: String, _ sentence: String) throws {
        let daemon = try daemon(), run = try sluice(words.split(separator: " ").map(String.init), socket: daemon.path)
        #expect(run.status != 0 && run.errors.contains(sentence), "\(words): \(run)")
    }
}
