// TrafficGenerator
