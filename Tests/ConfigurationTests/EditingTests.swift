import Configuration
import Packet
import Testing

/// Runs the words of one command line, such as `port add vm9 type vhost ...`. A `~` stands for a space within a word.
private func edit(_ model: Model, _ line: String) throws(ConfigurationError) -> Model {
    var words = line.split(separator: " ").map { String($0).replacing("~", with: " ") }
    return try model.edited(words.removeFirst(), words.removeFirst(), words)
}

private func refusal(_ model: Model, _ line: String) -> String {
    do {
        _ = try edit(model, line)
        return "accepted"
    } catch {
        return error.description
    }
}

@Suite struct EditingTests {
    @Test func aWholeConfigurationByWords() throws {
        var model = Model()
        for line in [
            "bridge add br0 rate 10gbit",
            "port add vm1 type vhost bridge br0 socket /run/sluice/vm1.sock queues 4",
            "port add vm2 type vhost socket /run/sluice/vm2.sock mode server pace average 1gbit peak 2gbit burst 1mib",
            "port add host type tap interface tap0 netns lab",
            "port add uplink type physical device net_af_packet0,iface=eth1 rate 1gbit overhead 24",
            "fdb add 52:54:00:aa:00:01 port host",
            "group add tenant-a inbound floor 2gbit outbound floor 800mbit",
            "guest add vm1 macs 52:54:00:00:00:01 group tenant-a inbound floor 1.5gbit ceiling 5gbit outbound floor 600mbit ceiling 1gbit",
            "class set vm1/iscsi dir inbound floor 1gbit",
            "class set tenant-a/vm1/iscsi dir outbound floor 200mbit priority 1",
            "class set vm2 dir outbound floor 100mbit",
            "protocol add backup match tcp~873,udp~4000,tcp~5000-5010,ethertype~0x88b5,dscp~10,pcp~2 pcp 1",
            "protocol set iscsi pcp 5",
        ] { model = try edit(model, line) }
        #expect(model == (try office()))
    }

    @Test func coresWaitAsTheyAreTold() throws {
        var model = try edit(try office(), "core set 3 polling polling")
        #expect(model.daemon.polling(ofCPU: 3) == .polling && model.daemon.polling(ofCPU: 2) == .adaptive)
        model = try edit(model, "core set 3 polling default")
        #expect(model.daemon.cores.isEmpty)
        model = try edit(try edit(model, "core set 1 polling polling"), "core set all polling interrupt")
        #expect(model.daemon.polling == .interrupt && model.daemon.cores.isEmpty)
        model = try edit(model, "core set all wake-latency 10us")
        #expect(model.daemon.wakeLatency == 10)
        #expect(!diff(from: try office(), to: model).needsRestart)
        #expect(try edit(model, "core set all wake-latency none").daemon.wakeLatency == nil)
        #expect(refusal(model, "core set all wake-latency 1s").contains("wake-latency is 0us to 100ms, such as 10us; or none"))
        #expect(refusal(model, "core set one polling adaptive").contains("'one' is not a core"))
        #expect(refusal(model, "core set 1 polling lazy").contains("'lazy' is not polling or adaptive or interrupt, or default"))
        #expect(refusal(model, "core set 1 speed fast").contains("a core has one key: write core set 1 polling"))
        #expect(try edit(model, "core set all delay on").daemon.delay)
        #expect(try !edit(edit(model, "core set all delay on"), "core set all delay off").daemon.delay)
        #expect(refusal(model, "core set 1 delay on").contains("delay is set for all cores together: write core set all delay on"))
        #expect(refusal(model, "core set all speed fast").contains("core set all balance on, core set all delay on, core set all wake-latency 10us"))
        #expect(refusal(model, "core del 1").contains("core has no verb 'del'"))
        model.daemon.cpus = [1, 2]
        #expect(refusal(model, "core set 3 polling polling") == "core 3: no poll loop runs on CPU 3: daemon.cpus is 1, 2")
    }

    /// If no direction is given and the class has two, the edit is refused, so that nothing is changed by mistake.
    @Test func aClassOfTwoDirectionsIsAskedFor() throws {
        let model = try office()
        #expect(
            refusal(model, "class set vm1 floor 1gbit")
                == "class vm1: it has two directions: write class set vm1 dir inbound floor 1gbit, or class set vm1 dir outbound floor 1gbit, or dir both for both")
        #expect(
            refusal(model, "class del vm1")
                == "class vm1: it has two directions: write class del vm1 dir inbound, or class del vm1 dir outbound, or dir both for both")
        #expect(refusal(model, "class set tenant-a floor 1gbit").contains("it has two directions"))
        // Only the class for what vm2 sends has settings, so no direction is needed.
        #expect(try edit(model, "class del vm2").guests[1].outbound == ClassSettings())
        // A bridge without a physical port has only the inbound direction.
        var alone = model
        alone.ports.removeAll(where: \.isPhysical)
        #expect(try edit(alone, "class set vm1 floor 1.6gbit").guests[0].inbound.floor == 1_600_000_000)
        #expect(try edit(alone, "class set vm1 floor 1.6gbit").guests[0].outbound == model.guests[0].outbound)
    }

    @Test func addressesAreWrittenAsTheyAreShown() throws {
        let model = try office()
        let wanted = StaticEntry(mac: MACAddress("52:54:00:00:00:09")!, port: "vm1")
        #expect(try edit(model, "fdb add 52:54:00:00:00:09 dev vm1").bridges[0].staticEntries.last == wanted)
        #expect(try edit(model, "fdb add 52:54:00:00:00:09 dev vm1 master br0 static").bridges[0].staticEntries.last == wanted)
        #expect(try edit(model, "fdb del 52:54:00:aa:00:01 dev host").bridges[0].staticEntries.isEmpty)
    }

    @Test func aFloorThatNothingGuaranteesIsTold() throws {
        var model = try office()
        #expect(model.warnings == [])
        model.ports.removeAll(where: \.isPhysical)
        #expect(model.warnings.map(\.path) == ["groups[0].outbound.floor", "guests[0].outbound.floor", "guests[0].protocols.iscsi.outbound.floor", "guests[1].outbound.floor"])
    }

    /// Whoever is behind the only uplink has a class there only if frames may leave by it that came in by it.
    @Test func aFloorBehindTheOnlyUplinkIsToldUnlessItIsAHairpin() throws {
        var model = try office()
        var far = GuestSettings(name: "far", port: "uplink")
        far.outbound.floor = 50_000_000
        model.guests.append(far)
        #expect(model.problems == [] && model.warnings.map(\.path) == ["guests[2].outbound.floor"])
        model.ports[3].rules.hairpin = true
        #expect(model.problems == [] && model.warnings == [])
    }

    @Test func setChangesOnlyWhatIsNamed() throws {
        let model = try office()
        #expect(try edit(model, "port set vm1 mtu 9000").ports[0].mtu == 9_000)
        #expect(try edit(model, "port set vm1 mtu 9000").ports[0].kind == model.ports[0].kind)
        #expect(try edit(model, "port set vm2 pace average 1500mbit").ports[1].pace?.peak == 2_000_000_000)
        #expect(try edit(model, "port set vm2 pace none").ports[1].pace == nil)
        #expect(
            try edit(model, "port set vm1 type tap interface tap7").ports[0].kind == .tap(interface: "tap7", netns: nil, mac: nil))
        #expect(try edit(model, "class set vm1 dir inbound ceiling none").guests[0].inbound.ceiling == nil)
        #expect(try edit(model, "class set vm1 dir inbound ceiling none").guests[0].inbound.floor == 1_500_000_000)
        #expect(try edit(model, "class set vm2 dir both ceiling 900mbit").guests[1].inbound.ceiling == 900_000_000)
        #expect(try edit(model, "class set vm2 dir both ceiling 900mbit").guests[1].outbound.ceiling == 900_000_000)
        #expect(try edit(model, "class del vm1/iscsi dir inbound").guests[0].protocols["iscsi"]?.outbound.floor == 200_000_000)
        #expect(try edit(model, "class del vm1/iscsi dir both").guests[0].protocols.isEmpty)
        #expect(try edit(model, "protocol del iscsi").protocolTable.first { $0.name == "iscsi" }?.pcp == 4)
        #expect(try edit(model, "bridge set br0 ageing 1min").bridges[0].ageing == 60)
        #expect(try edit(model, "fdb del 52:54:00:aa:00:01").bridges[0].staticEntries == [])
        #expect(try edit(model, "guest set vm1 group none").guests[0].group == nil)
    }

    /// A setting that has a default returns to it by the word "none" as well as by "default".
    @Test(arguments: ["none", "default"]) func whatHasADefaultGoesBackToIt(_ word: String) throws {
        let model = try office()
        func back(_ object: String, _ settings: String, _ key: String) throws -> Model {
            try edit(try edit(model, "\(object) \(settings)"), "\(object) \(key) \(word)")
        }
        for (port, settings, key) in [
            ("vm1", "mtu 9000", "mtu"), ("vm1", "cpus 1,2", "cpus"), ("host", "spoof-check off", "spoof-check"), ("host", "mac 52:54:00:00:00:99", "mac"),
            ("vm2", "queues 4", "queues"), ("uplink", "dcb off", "dcb"), ("uplink", "rest ceiling 1mbit", "rest"), ("host", "pace average 1gbit", "pace"),
        ] {
            #expect(try back("port set \(port)", settings, key) == model, "\(key)")
        }
        #expect(try edit(model, "port set vm2 mode \(word)").ports[1].kind == .vhost(socket: "/run/sluice/vm2.sock", mode: .client, queues: 1))
        #expect(try edit(model, "port set uplink overhead \(word)").ports[3].overhead == 0)
        for (settings, key) in [("ageing 60s", "ageing"), ("fdb-size 1000", "fdb-size"), ("overhead 24", "overhead"), ("rest ceiling 1gbit", "rest")] {
            #expect(try back("bridge set br0", settings, key) == model, "\(key)")
        }
        #expect(try back("guest set vm2", "macs 52:54:00:00:00:88", "macs") == model)
        #expect(try edit(model, "class set vm2 dir outbound floor \(word)").guests[1].outbound == ClassSettings())
        #expect(try back("class set vm2 dir outbound", "queue codel codel-target 1ms limit 5 limit-bytes 1mib limit-delay 1ms quantum 2kib priority 1", "queue \(word) codel-target \(word) limit \(word) limit-bytes \(word) limit-delay \(word) quantum \(word) priority") == model)
        #expect(try edit(model, "protocol set iscsi pcp \(word)").protocolTable.first { $0.name == "iscsi" }?.pcp == 4)
        #expect(try back("protocol set iscsi", "match tcp~99", "match") == model)
        #expect(try back("core set all", "balance on", "balance") == model)
        #expect(try back("core set all", "polling interrupt", "polling") == model)
        #expect(try back("core set 3", "polling interrupt", "polling") == model)
        #expect(try back("core set all", "wake-latency 10us", "wake-latency") == model)
        #expect(refusal(model, "port set vm1 type \(word)") == "port vm1.type: '\(word)' is not vhost or tap or physical")
        let yaml = "daemon: {buffers: \(word), buffer-size: \(word), hugepages: \(word), memory: \(word), polling: \(word), cpus: \(word), cores: \(word)}\n"
            + "bridges: [{name: br0, static: \(word)}]\n"
        #expect(try Model.checked(yaml: yaml) == Model.checked(yaml: "bridges: [{name: br0}]"))
    }

    /// The error blames the object that is being changed, whichever of the two stands first in the configuration.
    @Test(arguments: [
        ("port set vm1 socket /run/sluice/vm2.sock", "port vm1 socket: the socket /run/sluice/vm2.sock is port vm2's already: write another path"),
        ("port set vm1 type tap interface tap0 netns lab", "port vm1 interface: the interface tap0 is port host's already: write another name"),
        (
            "port set host interface eth1 netns none",
            "port host interface: the interface eth1 is port uplink's device: frames sent there would come back; write another name"
        ),
        (
            "port set host type physical device net_af_packet0,iface=eth7",
            "port host device: the device net_af_packet0 is port uplink's already: give this one another number, as in net_af_packet1"
        ),
        ("guest set vm1 macs 52:54:00:00:00:02", "guest vm1 macs[0]: 52:54:00:00:00:02 is guest vm3's already: remove one"),
        ("guest set vm3 macs 52:54:00:00:00:01", "guest vm3 macs[0]: 52:54:00:00:00:01 is guest vm1's already: remove one"),
        ("guest set vm3 macs none", "guest vm3 macs: vm2 already has every address of port vm2 that no other guest has: write macs for vm3"),
        ("protocol set backup match tcp~3260", "protocol backup match: tcp 3260 is iscsi's already, and a frame has one protocol: remove one"),
        ("protocol set iscsi match tcp~873", "protocol iscsi match: tcp 873 is backup's already, and a frame has one protocol: remove one"),
    ])
    func theChangeIsBlamed(_ line: String, _ sentence: String) throws {
        let model = try edit(try office(), "guest add vm3 port vm2 macs 52:54:00:00:00:02")
        #expect(refusal(model, line) == sentence)
    }

    @Test func aPortsOwnClassIsWrittenWhenSet() throws {
        let model = try edit(try office(), "class set host dir inbound ceiling 1gbit")
        #expect(model.guests.last?.name == "host")
        #expect(model.guests.last?.inbound.ceiling == 1_000_000_000)
    }

    @Test(arguments: [
        ("prot add x", "there is nothing called 'prot': did you mean port?"),
        ("port new x", "port has no verb 'new': there are add, set, del"),
        ("port add", "which port? write port add vm1 type vhost bridge br0 socket /run/sluice/vm1.sock"),
        ("port add vm1 type tap interface tap9", "the port vm1 is there already: change it with `port set vm1 ...`"),
        ("port set vm9 mtu 9000", "there is no port vm9: did you mean vm1?"),
        ("port set vm1 mtu", "port vm1.mtu: 'mtu' needs a value"),
        ("port set vm1 mut 9000", "port vm1: a port has no key 'mut': did you mean 'mtu'?"),
        ("port set vm1 mtu 9001", "port vm1.mtu: '9001' is not a whole number from 68 to 9000"),
        ("port set vm1 mtu 1500 mtu 9000", "port vm1.mtu: 'mtu' stands twice: write it once"),
        ("guest set vm1 inbound floor 1mbit floor 2mbit", "guest vm1.inbound.floor: 'floor' stands twice: write it once"),
        ("port set vm1 interface tap3", "port vm1: 'interface' belongs to tap ports, not to a vhost port: leave it out"),
        ("port set vm2 pace average 1000", "port vm2.pace.average: rate 1000 has no unit: write 1000mbit"),
        ("port set vm2 pace mean 1gbit", "port vm2.pace: pace has no key 'mean': its keys are average, peak, burst"),
        ("port add vm9 type vhost", "port vm9: a vhost port needs a socket, such as /run/sluice/vm9.sock"),
        (
            "port add vm9 type vhost socket /run/sluice/vm1.sock",
            "port vm9 socket: the socket /run/sluice/vm1.sock is port vm1's already: write another path"
        ),
        ("port del vm1", "the port vm1 is in use by guest vm1: delete or change those first"),
        ("port del host", "the port host is in use by fdb 52:54:00:aa:00:01: delete or change those first"),
        ("port del uplink now", "'now' is too much: del takes a name only"),
        (
            "bridge del br0",
            "the bridge br0 is in use by port vm1, port vm2, port host, port uplink, group tenant-a: delete or change those first"
        ),
        ("group del tenant-a", "the group tenant-a is in use by guest vm1: delete or change those first"),
        ("protocol del iscsi2", "there is no protocol iscsi2: did you mean iscsi?"),
        ("protocol del fcoe", "the protocol fcoe is built in and stays: change it with `protocol set fcoe ...`"),
        ("protocol add none match tcp~1", "protocol none name: 'none' has a meaning of its own: take another name"),
        ("fdb add 52:54:00:00:00 port vm1", "'52:54:00:00:00' is not a MAC address: write fdb add 52:54:00:12:34:56 port vm1"),
        ("fdb add 52:54:00:00:00:09", "fdb 52:54:00:00:00:09: an entry needs a port: write fdb add 52:54:00:12:34:56 port vm1"),
        ("fdb del 52:54:00:00:00:09", "there is no static entry 52:54:00:00:00:09: learned ones age by themselves"),
        ("class set vm9 floor 1mbit", "there is no class vm9: did you mean vm1?"),
        ("class set vm1/iscis floor 1mbit", "there is no protocol iscis: did you mean iscsi?"),
        ("class set vm1/default floor 1mbit", "vm1/default has what vm1's protocols leave over: set vm1 instead"),
        ("class set other/vm1 floor 1mbit", "there is no class other/vm1: other is not a group above it"),
        ("class set vm1", "class vm1: nothing to set: write class set vm1/iscsi dir inbound floor 200mbit"),
        ("class set vm1 dir sideways floor 1mbit", "class vm1: dir is inbound (towards the guest), outbound (from it) or both"),
        ("class set vm1 outbound floor 1mbit", "class vm1: 'outbound' is a direction: write class set vm1 dir outbound floor 1mbit"),
        ("class set vm1 dir outbound rate 1mbit", "class vm1 outbound: a class has no key 'rate': did you mean 'floor'?"),
        ("class set vm1 dir outbound ceil 1mbit", "class vm1 outbound: a class has no key 'ceil': did you mean 'ceiling'?"),
        ("class set vm1 dir outbound prio 1", "class vm1 outbound: a class has no key 'prio': did you mean 'priority'?"),
        ("class set vm1 dir outbound floor 5 gbit", "class vm1 outbound: 'floor 5 gbit' is one word too many: write floor 5gbit"),
        ("guest set vm1 outbound floor 5 gbit", "guest vm1: 'floor 5 gbit' is one word too many: write floor 5gbit"),
        ("class del vm2 dir inbound", "class vm2: it has no settings to delete"),
        (
            "class set vm2 dir outbound floor 300mbit",
            "port uplink rate: floors of tenant-a (800mbit) and vm2 (300mbit) sum to 1.1gbit, 100mbit more than uplink's rate 1gbit"
        ),
        (
            "class set vm1/iscsi dir inbound floor 1.6gbit",
            "guest vm1 inbound.floor: the floor of iscsi (1.6gbit) is 1.6gbit, 100mbit more than vm1's floor 1.5gbit"
        ),
    ])
    func refusals(_ line: String, _ sentence: String) throws { #expect(refusal(try office(), line) == sentence) }

    @Test func aGroupMayBeNamedLikeAProtocol() throws {
        var model = try edit(try office(), "group add iscsi")
        model = try edit(model, "class set vm1/iscsi dir inbound floor 900mbit")
        #expect(model.guests[0].protocols["iscsi"]?.inbound.floor == 900_000_000)
        model = try edit(model, "class set iscsi dir inbound ceiling 3gbit")
        #expect(model.groups.last?.inbound.ceiling == 3_000_000_000)
    }

    @Test func theClassOfOtherAddressesIsNotSet() throws {
        var model = try edit(try office(), "guest set vm2 macs 52:54:00:00:00:02")
        model = try edit(model, "guest add vm2b port vm2 macs 52:54:00:00:00:03")
        #expect(
            refusal(model, "class set vm2:others ceiling 1gbit")
                == "vm2:others stands for the addresses no guest of port vm2 has: to set it, add a guest without macs on vm2")
    }
}
