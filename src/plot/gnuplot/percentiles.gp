eval percentile_axis
eval length_axis
set xlabel "percentile"
set label 70 "time" at screen 0.022, graph 0.5 rotate center tc rgb ink
set object 1 rectangle from unsupported, graph 0 to graph 1, graph 1 \
    behind fillcolor rgb faint fillstyle solid noborder
set label 90 "fewer than\n10 samples\nbeyond" at unsupported, graph 0.13 offset 0.6, 0 \
    tc rgb grey font ",11"

set style fill transparent solid 0.18 noborder
set key at screen 0.87, screen 0.02 right bottom samplen 1.5 textcolor rgb ink

plot data index "response, 95 %" using 1:2:3 with filledcurves lc rgb blue, \
     data index "service, 95 %" using 1:2:3 with filledcurves lc rgb orange, \
     NaN with boxes lc rgb grey title any_band ? "95 % confidence" : "", \
     data index "response" using 1:2 with lines lw 2.5 lc rgb blue, \
     data index "service" using 1:2 with lines lw 2.5 lc rgb orange, \
     data index "response, unsupported" using 1:2 with lines lw 1.2 dt 2 lc rgb blue, \
     data index "service, unsupported" using 1:2 with lines lw 1.2 dt 2 lc rgb orange
