eval time_axis
set yrange [0:lines]
set ytics autofreq
set grid noy
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "sessions, in order of their intended start" . (one_in > 1 ? sprintf(" (1 of %d)", one_in) : "") at screen 0.022, graph 0.5 rotate center tc rgb ink
set key at screen 0.885, screen 0.85 left top vertical Left reverse samplen 0.8 width -2 \
    textcolor rgb ink
set rmargin at screen 0.86

plot data index "holes" using 1:(0):1:2:(0):(lines) with boxxyerror lc rgb "#F1DAE6", \
     data index "wait" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb orange title "wait", \
     data index "lag" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb red title "lag", \
     data index "connect" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb purple \
         title "connect", \
     data index "first byte" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb sky \
         title "first byte", \
     data index "answer" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb blue \
         title "answer", \
     data index "failed" using 2:($1 - thickness / 2) with points pt 2 ps 0.7 lw 1.5 lc rgb "black" \
         title any_failed ? "failed" : "", \
     NaN with boxes lc rgb "#F1DAE6" title any_holes ? "hole" : ""
