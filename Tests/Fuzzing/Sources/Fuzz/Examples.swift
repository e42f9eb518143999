/// Valid configurations that inputs start from.
enum Examples {
    static let all = [office, vlans, plain]

    static let office = """
        bridges: [{name: br0, rate: 10gbit, static: [{mac: 52:54:00:aa:00:01, port: host}]}]
        ports:
          - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock, queues: 4}
          - {name: vm2, type: vhost, bridge: br0, socket: /run/sluice/vm2.sock, mode: server, pace: {average: 1gbit, peak: 2gbit, burst: 1mib}}
          - {name: host, type: tap, bridge: br0, interface: tap0, netns: lab}
          - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=eth1", rate: 1gbit, overhead: 24}
        groups: [{name: tenant-a, bridge: br0, inbound: {floor: 2gbit}, outbound: {floor: 800mbit}}]
        guests:
          - name: vm1
            port: vm1
            macs: [52:54:00:00:00:01]
            group: tenant-a
            inbound: {floor: 1.5gbit, ceiling: 5gbit}
            outbound: {floor: 600mbit, ceiling: 1gbit}
            protocols: {iscsi: {inbound: {floor: 1gbit}, outbound: {floor: 200mbit, priority: 1}}}
          - {name: vm2, port: vm2, outbound: {floor: 100mbit}}
        protocols: [{name: backup, match: [tcp 873, "udp 4000"], pcp: 1}, {name: iscsi, pcp: 5}]

        """

    private static let vlans = """
        bridges: [{name: br0}, {name: br1, rate: 1gbit, mcast-snooping: on}, {name: watch}]
        ports:
          - {name: a, type: vhost, bridge: br0, socket: /a, vlan: 5, filter: {outbound: f}, addresses: [10.0.0.1]}
          - {name: b, type: vhost, bridge: br0, socket: /b, vlan: {trunk: [5, 7-9], native: 7}}
          - {name: c, type: tap, bridge: br1, interface: c, isolated: on}
          - {name: up, type: physical, bridge: br1, device: eth1, rate: 1gbit}
          - {name: mon, type: tap, bridge: watch, interface: mon}
        guests:
          - {name: a, port: a, macs: ["52:54:00:00:00:01"]}
          - {name: c, port: c, macs: ["52:54:00:00:00:02"], inbound: {floor: 100mbit, queue: codel}, protocols: {iscsi: {inbound: {floor: 10mbit}}}}
        filters: [{name: f, rules: [{deny: tcp dst port 25}, {allow: arp}]}]
        mirrors:
          - {name: m1, port: a, direction: in, filter: tcp port 80, truncate: 128, rate: 100mbit, to: mon}
          - {name: m2, class: c/iscsi, erspan: {remote: "2001:db8::9", local: "2001:db8::1", via: up, mac: "52:54:00:00:00:99", vlan: 7, session: 9}}

        """

    private static let plain = "bridges: [{name: br0}]\n"
}
